// Right shift by 0..2^Levels-1, filling with fill_i; the lowest bit is also set if any set bit was
// shifted out, so that a later rounding sees that the value is not exact. Combinational.

`default_nettype none

module shift_right_sticky #(
    parameter integer Width  = 27,
    parameter integer Levels = 5    // 1 or more
) (
    input  wire              fill_i,
    input  wire [ Width-1:0] bits_i,
    input  wire [Levels-1:0] amount_i,
    output wire [ Width-1:0] bits_o
);

  generate
    if (Levels < 1 || Width < 1) begin : gen_reject
      shift_right_sticky_parameters_Width_and_Levels_must_be_at_least_1 reject ();
    end
  endgenerate

  reg     [Width-1:0] bits;
  reg                 lost;
  integer             k;

  always @* begin
    bits = bits_i;
    lost = 1'b0;
    for (k = 0; k < Levels; k = k + 1) begin
      if (amount_i[k]) begin
        // The lowest bit already holds what was lost before, and is itself lost again.
        lost = |(bits & ~({Width{1'b1}} << (1 << k)));
        bits = (bits >> (1 << k)) | (fill_i ? ~({Width{1'b1}} >> (1 << k)) : {Width{1'b0}});
        bits[0] = bits[0] | lost;
      end
    end
  end

  assign bits_o = bits;

endmodule

`default_nettype wire
