// generic/mul2_s8.v's contract in one MULT18X18D.

`default_nettype none

module mul2_s8 (
    input  wire        clk_i,
    input  wire [ 7:0] a_i,
    input  wire [15:0] b_i,
    output wire [31:0] product_o
);

  mul2_s8_packed u_packed (
      .clk_i    (clk_i),
      .a_i      (a_i),
      .b_i      (b_i),
      .product_o(product_o)
  );

endmodule

`default_nettype wire
