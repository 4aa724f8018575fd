// SB_MAC16 as registered multipliers: operands and product, two cycles. Dual = 0: one 16x16,
// o_o = a_i * b_i. Dual = 1: two 8x8, each half of o_o from the same half of a_i and b_i.
// b is signed; a is signed unless ASigned is 0.

`default_nettype none

module sb_mul #(
    parameter integer Dual    = 0,
    parameter integer ASigned = 1
) (
    input  wire        clk_i,
    input  wire [15:0] a_i,
    input  wire [15:0] b_i,
    output wire [31:0] o_o
);

  localparam [0:0] DualBit = (Dual != 0);
  localparam [0:0] ASignedBit = (ASigned != 0);
  // The output is the 8x8 product registers or the 16x16 one, never the adders.
  localparam [1:0] OutputSelect = (Dual != 0) ? 2'b10 : 2'b11;

  SB_MAC16 #(
      .NEG_TRIGGER             (1'b0),
      .A_REG                   (1'b1),
      .B_REG                   (1'b1),
      .C_REG                   (1'b0),
      .D_REG                   (1'b0),
      .TOP_8x8_MULT_REG        (DualBit),
      .BOT_8x8_MULT_REG        (DualBit),
      .PIPELINE_16x16_MULT_REG1(1'b0),
      .PIPELINE_16x16_MULT_REG2(!DualBit),
      .TOPOUTPUT_SELECT        (OutputSelect),
      .TOPADDSUB_LOWERINPUT    (2'b00),
      .TOPADDSUB_UPPERINPUT    (1'b0),
      .TOPADDSUB_CARRYSELECT   (2'b00),
      .BOTOUTPUT_SELECT        (OutputSelect),
      .BOTADDSUB_LOWERINPUT    (2'b00),
      .BOTADDSUB_UPPERINPUT    (1'b0),
      .BOTADDSUB_CARRYSELECT   (2'b00),
      .MODE_8x8                (DualBit),
      .A_SIGNED                (ASignedBit),
      .B_SIGNED                (1'b1)
  ) u_mac16 (
      .CLK        (clk_i),
      .CE         (1'b1),
      .A          (a_i),
      .B          (b_i),
      .C          (16'd0),
      .D          (16'd0),
      .AHOLD      (1'b0),
      .BHOLD      (1'b0),
      .CHOLD      (1'b0),
      .DHOLD      (1'b0),
      .IRSTTOP    (1'b0),
      .IRSTBOT    (1'b0),
      .ORSTTOP    (1'b0),
      .ORSTBOT    (1'b0),
      .OLOADTOP   (1'b0),
      .OLOADBOT   (1'b0),
      .ADDSUBTOP  (1'b0),
      .ADDSUBBOT  (1'b0),
      .OHOLDTOP   (1'b0),
      .OHOLDBOT   (1'b0),
      .CI         (1'b0),
      .ACCUMCI    (1'b0),
      .SIGNEXTIN  (1'b0),
      .O          (o_o),
      .CO         (),
      .ACCUMCO    (),
      .SIGNEXTOUT ()
  );

endmodule

`default_nettype wire
