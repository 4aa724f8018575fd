// product_o = a_i * b_i two cycles later: operands and product are registered.
// b is signed; a is signed unless ASigned is 0.
//
// Portable; synthesis decides between LUTs and an inferred DSP block. ../ice40 and ../ecp5 hold
// modules of the same name that instantiate the block with its own pipeline registers.

`default_nettype none

module mul_s #(
    parameter integer AWidth  = 8,
    parameter integer BWidth  = 8,
    parameter integer ASigned = 1
) (
    input  wire                            clk_i,
    input  wire        [       AWidth-1:0] a_i,
    input  wire signed [       BWidth-1:0] b_i,
    output wire signed [AWidth+BWidth-1:0] product_o
);

  reg signed [AWidth+BWidth-1:0] product_q;
  reg signed [       BWidth-1:0] b_q;

  generate
    if (AWidth < 1 || BWidth < 1) begin : gen_reject_width
      mul_s_parameters_AWidth_and_BWidth_must_be_at_least_1 reject ();
    end
    if (ASigned != 0) begin : gen_signed
      reg signed [AWidth-1:0] a_q;
      always @(posedge clk_i) begin
        a_q       <= $signed(a_i);
        product_q <= a_q * b_q;
      end
    end else begin : gen_unsigned
      reg         [       AWidth-1:0] a_q;
      wire signed [AWidth+BWidth:0] product;
      assign product = $signed({1'b0, a_q}) * b_q;
      always @(posedge clk_i) begin
        a_q       <= a_i;
        product_q <= product[AWidth+BWidth-1:0];
      end
    end
  endgenerate

  always @(posedge clk_i) begin
    b_q <= b_i;
  end

  assign product_o = product_q;

endmodule

`default_nettype wire
