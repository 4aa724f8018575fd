// All four products of two int4 by two int4 from one multiplier: product 2j+i (8 bits, product 0
// lowest) = lane i of a_i * lane j of b_i, three cycles later; exact for all operands.
//
//     (a1*2^G + a0) * (b1*2^2G + b0) = sum of p[k]*2^(G*k),  k = 2j+i,  G = Gap
//
// Neighbours overlap by 8 - G bits. Those low bits of each product come from LUTs; taking them
// away leaves fields of G bits that do not touch, and 2^7 added to each makes them positive.
// Gap 5 fits a 16-bit multiplier (10 by 15 bits), Gap 6 an 18-bit one (11 by 17) with less in LUTs.

`default_nettype none

module mul4_s4_packed #(
    parameter integer Gap = 5  // 5 or 6
) (
    input  wire        clk_i,
    input  wire [ 7:0] a_i,
    input  wire [ 7:0] b_i,
    output wire [31:0] product_o
);

  localparam integer Low = 8 - Gap;
  localparam integer AWidth = Gap + 5;
  localparam integer BWidth = 2 * Gap + 5;
  localparam integer PWidth = AWidth + BWidth;

  generate
    if (Gap < 5 || Gap > 6) begin : gen_reject_gap
      mul4_s4_packed_parameter_Gap_must_be_5_or_6 reject ();
    end
  endgenerate

  wire signed [AWidth-1:0] a;
  wire signed [BWidth-1:0] b;
  wire signed [PWidth-1:0] p;

  pack2 #(
      .Width(4),
      .Gap  (Gap)
  ) u_pack_a (
      .low_i   (a_i[3:0]),
      .high_i  (a_i[7:4]),
      .packed_o(a)
  );
  pack2 #(
      .Width(4),
      .Gap  (2 * Gap)
  ) u_pack_b (
      .low_i   (b_i[3:0]),
      .high_i  (b_i[7:4]),
      .packed_o(b)
  );
  mul_s #(
      .AWidth(AWidth),
      .BWidth(BWidth)
  ) u_mul (
      .clk_i    (clk_i),
      .a_i      (a),
      .b_i      (b),
      .product_o(p)
  );

  reg  [ 2*Low-1:0] a_q;  // the low bits of both lanes
  reg  [ 2*Low-1:0] b_q;
  reg  [ 4*Low-1:0] low_q;
  reg  [PWidth-1:0] offset_q;
  reg  [      31:0] product_q;
  wire [ 4*Low-1:0] low;
  wire [PWidth-1:0] lows;
  wire [PWidth-1:0] bias;
  wire [PWidth-1:0] fields;
  wire [      31:0] product;

  assign fields = p + offset_q;

  genvar k;
  generate
    for (k = 0; k < 4; k = k + 1) begin : gen_product
      mul_low #(
          .Width(Low)
      ) u_low (
          .a_i  (a_q[Low*(k%2)+:Low]),
          .b_i  (b_q[Low*(k/2)+:Low]),
          .low_o(low[k*Low+:Low])
      );
      assign product[8*k+:8] = {!fields[Gap*k+7], fields[Gap*k+Low+:Gap-1], low_q[k*Low+:Low]};
    end
  endgenerate

  assign lows = {{(PWidth - 3 * Gap - Low) {1'b0}}, low[3*Low+:Low],
                 {(Gap - Low) {1'b0}}, low[2*Low+:Low],
                 {(Gap - Low) {1'b0}}, low[1*Low+:Low],
                 {(Gap - Low) {1'b0}}, low[0*Low+:Low]};
  assign bias = {{(PWidth - 1) {1'b0}}, 1'b1} << 7
              | {{(PWidth - 1) {1'b0}}, 1'b1} << (Gap + 7)
              | {{(PWidth - 1) {1'b0}}, 1'b1} << (2 * Gap + 7)
              | {{(PWidth - 1) {1'b0}}, 1'b1} << (3 * Gap + 7);

  always @(posedge clk_i) begin
    a_q       <= {a_i[4+:Low], a_i[0+:Low]};
    b_q       <= {b_i[4+:Low], b_i[0+:Low]};
    low_q     <= low;
    offset_q  <= bias - lows;
    product_q <= product;
  end

  assign product_o = product_q;

endmodule

`default_nettype wire
