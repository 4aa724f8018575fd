// Two int8 products that share an operand: product k (16 bits, product 0 lowest) = a_i * lane k of
// b_i, three cycles later. Portable: two multipliers.

`default_nettype none

module mul2_s8 (
    input  wire        clk_i,
    input  wire [ 7:0] a_i,
    input  wire [15:0] b_i,
    output wire [31:0] product_o
);

  wire [31:0] product;
  reg  [31:0] product_q;

  genvar k;
  generate
    for (k = 0; k < 2; k = k + 1) begin : gen_lane
      mul_s #(
          .AWidth(8),
          .BWidth(8)
      ) u_mul (
          .clk_i    (clk_i),
          .a_i      (a_i),
          .b_i      (b_i[8*k+:8]),
          .product_o(product[16*k+:16])
      );
    end
  endgenerate

  always @(posedge clk_i) begin
    product_q <= product;
  end

  assign product_o = product_q;

endmodule

`default_nettype wire
