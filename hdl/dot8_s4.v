// Eight int4 products a cycle from two 32-bit words into 32 bits.
// Ports, arithmetic and latency: dot.v.

`default_nettype none

module dot8_s4 (
    input  wire               clk_i,
    input  wire               rst_i,
    input  wire               valid_i,
    input  wire               clear_i,
    input  wire               last_i,
    input  wire        [31:0] a_i,
    input  wire        [31:0] b_i,
    output wire               valid_o,
    output wire signed [31:0] acc_o
);

  dot #(
      .Lanes (8),
      .AWidth(4),
      .BWidth(4)
  ) u_dot (
      .clk_i  (clk_i),
      .rst_i  (rst_i),
      .valid_i(valid_i),
      .clear_i(clear_i),
      .last_i (last_i),
      .a_i    (a_i),
      .b_i    (b_i),
      .valid_o(valid_o),
      .acc_o  (acc_o)
  );

endmodule

`default_nettype wire
