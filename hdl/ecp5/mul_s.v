// generic/mul_s.v's contract in one MULT18X18D.

`default_nettype none

module mul_s #(
    parameter integer AWidth  = 8,  // 1..18, unsigned 1..17
    parameter integer BWidth  = 8,  // 1..18
    parameter integer ASigned = 1
) (
    input  wire                            clk_i,
    input  wire        [       AWidth-1:0] a_i,
    input  wire signed [       BWidth-1:0] b_i,
    output wire signed [AWidth+BWidth-1:0] product_o
);

  generate
    if (AWidth < 1 || BWidth < 1 || BWidth > 18 || AWidth > ((ASigned != 0) ? 18 : 17))
    begin : gen_reject_width
      mul_s_parameters_AWidth_and_BWidth_must_be_1_to_18_or_17_unsigned reject ();
    end
  endgenerate

  wire        a_sign;
  wire [18:0] a;
  wire [18:0] b;
  wire [35:0] p;

  assign a_sign = (ASigned != 0) && a_i[AWidth-1];
  assign a = {{(19 - AWidth) {a_sign}}, a_i};
  assign b = {{(19 - BWidth) {b_i[BWidth-1]}}, b_i};

  mul18 u_mul (
      .clk_i(clk_i),
      .a_i  (a[17:0]),
      .b_i  (b[17:0]),
      .p_o  (p)
  );

  assign product_o = p[AWidth+BWidth-1:0];

endmodule

`default_nettype wire
