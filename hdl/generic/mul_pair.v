// Two independent products, as mul_s: lane k of product_o = lane k of a_i * lane k of b_i, two
// cycles later. Lane 0 is the low one. b is signed; a is signed unless ASigned is 0.

`default_nettype none

module mul_pair #(
    parameter integer AWidth  = 8,
    parameter integer BWidth  = 8,
    parameter integer ASigned = 1
) (
    input  wire                         clk_i,
    input  wire [         2*AWidth-1:0] a_i,
    input  wire [         2*BWidth-1:0] b_i,
    output wire [2*(AWidth+BWidth)-1:0] product_o
);

  genvar k;
  generate
    for (k = 0; k < 2; k = k + 1) begin : gen_lane
      mul_s #(
          .AWidth (AWidth),
          .BWidth (BWidth),
          .ASigned(ASigned)
      ) u_mul (
          .clk_i    (clk_i),
          .a_i      (a_i[k*AWidth+:AWidth]),
          .b_i      (b_i[k*BWidth+:BWidth]),
          .product_o(product_o[k*(AWidth+BWidth)+:(AWidth+BWidth)])
      );
    end
  endgenerate

endmodule

`default_nettype wire
