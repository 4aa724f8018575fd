// generic/mul_s.v's contract in one SB_MAC16.

`default_nettype none

module mul_s #(
    parameter integer AWidth  = 8,  // 1..16
    parameter integer BWidth  = 8,  // 1..16
    parameter integer ASigned = 1
) (
    input  wire                            clk_i,
    input  wire        [       AWidth-1:0] a_i,
    input  wire signed [       BWidth-1:0] b_i,
    output wire signed [AWidth+BWidth-1:0] product_o
);

  generate
    if (AWidth < 1 || AWidth > 16 || BWidth < 1 || BWidth > 16) begin : gen_reject_width
      mul_s_parameters_AWidth_and_BWidth_must_be_1_to_16 reject ();
    end
  endgenerate

  wire        a_sign;
  wire [16:0] a;
  wire [16:0] b;
  wire [31:0] o;

  assign a_sign = (ASigned != 0) && a_i[AWidth-1];
  assign a = {{(17 - AWidth) {a_sign}}, a_i};
  assign b = {{(17 - BWidth) {b_i[BWidth-1]}}, b_i};

  sb_mul #(
      .Dual   (0),
      .ASigned(ASigned)
  ) u_mul (
      .clk_i(clk_i),
      .a_i  (a[15:0]),
      .b_i  (b[15:0]),
      .o_o  (o)
  );

  assign product_o = o[AWidth+BWidth-1:0];

endmodule

`default_nettype wire
