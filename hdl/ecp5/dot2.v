// generic/dot2.v's contract: one MULT18X18D for signed int4, two for anything wider.
//
// Packed: (a1*2^9 + a0) * (b0*2^9 + b1) = a0*b1 + (a0*b0 + a1*b1)*2^9 + a1*b0*2^18. The middle
// field is the sum wanted, less the borrow of the low one, which is that field's sign.

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

  generate
    if (AWidth == 4 && BWidth == 4 && ASigned != 0) begin : gen_packed
      wire signed [13:0] a;
      wire signed [13:0] b;
      wire signed [27:0] p;
      pack2 #(
          .Width(4),
          .Gap  (9)
      ) u_pack_a (
          .low_i   (a_i[3:0]),
          .high_i  (a_i[7:4]),
          .packed_o(a)
      );
      pack2 #(
          .Width(4),
          .Gap  (9)
      ) u_pack_b (
          .low_i   (b_i[7:4]),
          .high_i  (b_i[3:0]),
          .packed_o(b)
      );
      mul_s #(
          .AWidth(14),
          .BWidth(14)
      ) u_mul (
          .clk_i    (clk_i),
          .a_i      (a),
          .b_i      (b),
          .product_o(p)
      );
      assign sum_o = p[17:9] + {8'd0, p[8]};
    end else begin : gen_separate
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
    end
  endgenerate

endmodule

`default_nettype wire
