// sum_o = a0 * b0 + a1 * b1 two cycles later: operands and products are registered, the sum is
// combinational. Lane 0 is the low half. b is signed; a is signed unless ASigned is 0.

`default_nettype none

module dot2 #(
    parameter integer AWidth  = 8,
    parameter integer BWidth  = 8,
    parameter integer ASigned = 1
) (
    input  wire                          clk_i,
    input  wire        [   2*AWidth-1:0] a_i,
    input  wire        [   2*BWidth-1:0] b_i,
    output wire signed [AWidth+BWidth:0] sum_o
);

  wire signed [AWidth+BWidth-1:0] low;
  wire signed [AWidth+BWidth-1:0] high;

  mul_s #(
      .AWidth (AWidth),
      .BWidth (BWidth),
      .ASigned(ASigned)
  ) u_low (
      .clk_i    (clk_i),
      .a_i      (a_i[AWidth-1:0]),
      .b_i      (b_i[BWidth-1:0]),
      .product_o(low)
  );

  mul_s #(
      .AWidth (AWidth),
      .BWidth (BWidth),
      .ASigned(ASigned)
  ) u_high (
      .clk_i    (clk_i),
      .a_i      (a_i[2*AWidth-1:AWidth]),
      .b_i      (b_i[2*BWidth-1:BWidth]),
      .product_o(high)
  );

  assign sum_o = low + high;

endmodule

`default_nettype wire
