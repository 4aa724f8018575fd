// generic/mul2_s8.v's contract in one SB_MAC16: its two 8x8 multipliers.

`default_nettype none

module mul2_s8 (
    input  wire        clk_i,
    input  wire [ 7:0] a_i,
    input  wire [15:0] b_i,
    output wire [31:0] product_o
);

  wire [31:0] product;
  reg  [31:0] product_q;

  sb_mul #(
      .Dual(1)
  ) u_mul (
      .clk_i(clk_i),
      .a_i  ({a_i, a_i}),
      .b_i  (b_i),
      .o_o  (product)
  );

  always @(posedge clk_i) begin
    product_q <= product;
  end

  assign product_o = product_q;

endmodule

`default_nettype wire
