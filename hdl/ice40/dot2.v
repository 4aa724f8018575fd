// generic/dot2.v's contract in one SB_MAC16: its two 8x8 multipliers.

`default_nettype none

module dot2 #(
    parameter integer AWidth  = 8,  // 1..8
    parameter integer BWidth  = 8,  // 1..8
    parameter integer ASigned = 1
) (
    input  wire                          clk_i,
    input  wire        [   2*AWidth-1:0] a_i,
    input  wire        [   2*BWidth-1:0] b_i,
    output wire signed [AWidth+BWidth:0] sum_o
);

  localparam integer ProductWidth = AWidth + BWidth;

  generate
    if (AWidth < 1 || AWidth > 8 || BWidth < 1 || BWidth > 8) begin : gen_reject_width
      dot2_parameters_AWidth_and_BWidth_must_be_1_to_8 reject ();
    end
  endgenerate

  wire [15:0] a;
  wire [15:0] b;
  wire [31:0] o;

  genvar k;
  generate
    for (k = 0; k < 2; k = k + 1) begin : gen_lane
      wire       a_sign;
      wire [8:0] a_byte;
      wire [8:0] b_byte;
      assign a_sign = (ASigned != 0) && a_i[k*AWidth+AWidth-1];
      assign a_byte = {{(9 - AWidth) {a_sign}}, a_i[k*AWidth+:AWidth]};
      assign b_byte = {{(9 - BWidth) {b_i[k*BWidth+BWidth-1]}}, b_i[k*BWidth+:BWidth]};
      assign a[8*k+:8] = a_byte[7:0];
      assign b[8*k+:8] = b_byte[7:0];
    end
  endgenerate

  sb_mul #(
      .Dual   (1),
      .ASigned(ASigned)
  ) u_mul (
      .clk_i(clk_i),
      .a_i  (a),
      .b_i  (b),
      .o_o  (o)
  );

  wire signed [ProductWidth-1:0] low;
  wire signed [ProductWidth-1:0] high;

  assign low   = o[0+:ProductWidth];
  assign high  = o[16+:ProductWidth];
  assign sum_o = low + high;

endmodule

`default_nettype wire
