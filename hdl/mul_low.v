// The low Width bits of a product. Combinational; written as its partial products so that no
// synthesizer spends a DSP block on it.

`default_nettype none

module mul_low #(
    parameter integer Width = 4  // 1 or more
) (
    input  wire [Width-1:0] a_i,
    input  wire [Width-1:0] b_i,
    output wire [Width-1:0] low_o
);

  generate
    if (Width < 1) begin : gen_reject_width
      mul_low_parameter_Width_must_be_at_least_1 reject ();
    end
  endgenerate

  reg     [Width-1:0] sum;
  integer             k;

  always @* begin
    sum = {Width{1'b0}};
    for (k = 0; k < Width; k = k + 1) begin
      sum = sum + ((a_i << k) & {Width{b_i[k]}});
    end
  end

  assign low_o = sum;

endmodule

`default_nettype wire
