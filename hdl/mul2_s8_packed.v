// Two int8 products that share an operand from one multiplier of at most 18 bits a side:
// product k (16 bits, product 0 lowest) = a_i * lane k of b_i, three cycles later; exact for all
// operands.
//
//     a * (b1*2^9 + b0) = p0 + p1*2^9
//
// The products overlap by 7 bits. The low 7 bits of p1 come from a truncated multiplier in LUTs;
// taking them away leaves p0 + (p1 >> 7)*2^16, two fields that no longer touch once 2^15 makes the
// lower one positive. (A gap of 10 would overlap less, but -128*2^10 - 128 needs 19 bits.)

`default_nettype none

module mul2_s8_packed (
    input  wire        clk_i,
    input  wire [ 7:0] a_i,
    input  wire [15:0] b_i,
    output wire [31:0] product_o
);

  wire signed [17:0] b;
  wire signed [25:0] p;  // of which 25 bits carry the value

  pack2 #(
      .Width(8),
      .Gap  (9)
  ) u_pack (
      .low_i   (b_i[7:0]),
      .high_i  (b_i[15:8]),
      .packed_o(b)
  );

  mul_s #(
      .AWidth(8),
      .BWidth(18)
  ) u_mul (
      .clk_i    (clk_i),
      .a_i      (a_i),
      .b_i      (b),
      .product_o(p)
  );

  reg [ 6:0] a_q;
  reg [ 6:0] b1_q;
  reg [ 6:0] low_q;  // of p1
  reg [31:0] product_q;

  wire        [ 6:0] low;
  wire signed [15:0] low_less_64;  // 2^15 enters as 64*2^9
  wire signed [15:0] upper;

  mul_low #(
      .Width(7)
  ) u_low (
      .a_i  (a_q),
      .b_i  (b1_q),
      .low_o(low)
  );

  assign low_less_64 = {{10{!low_q[6]}}, low_q[5:0]};
  assign upper = p[24:9] - low_less_64;

  always @(posedge clk_i) begin
    a_q       <= a_i[6:0];
    b1_q      <= b_i[14:8];
    low_q     <= low;
    product_q <= {upper[15:7], low_q, !upper[6], upper[5:0], p[8:0]};
  end

  assign product_o = product_q;

endmodule

`default_nettype wire
