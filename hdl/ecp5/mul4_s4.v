// generic/mul4_s4.v's contract in one MULT18X18D.

`default_nettype none

module mul4_s4 (
    input  wire        clk_i,
    input  wire [ 7:0] a_i,
    input  wire [ 7:0] b_i,
    output wire [31:0] product_o
);

  mul4_s4_packed #(
      .Gap(6)
  ) u_packed (
      .clk_i    (clk_i),
      .a_i      (a_i),
      .b_i      (b_i),
      .product_o(product_o)
  );

endmodule

`default_nettype wire
