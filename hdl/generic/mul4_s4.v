// All four products of two int4 by two int4: product 2j+i (8 bits, product 0 lowest) = lane i of
// a_i * lane j of b_i, three cycles later. Portable: four multipliers.

`default_nettype none

module mul4_s4 (
    input  wire        clk_i,
    input  wire [ 7:0] a_i,
    input  wire [ 7:0] b_i,
    output wire [31:0] product_o
);

  wire [31:0] product;
  reg  [31:0] product_q;

  genvar k;
  generate
    for (k = 0; k < 4; k = k + 1) begin : gen_lane
      mul_s #(
          .AWidth(4),
          .BWidth(4)
      ) u_mul (
          .clk_i    (clk_i),
          .a_i      (a_i[4*(k%2)+:4]),
          .b_i      (b_i[4*(k/2)+:4]),
          .product_o(product[8*k+:8])
      );
    end
  endgenerate

  always @(posedge clk_i) begin
    product_q <= product;
  end

  assign product_o = product_q;

endmodule

`default_nettype wire
