// Stands for a design: one multiplier of 4 bits, registered.

`default_nettype none

module small (
    input  wire       clk_i,
    input  wire [3:0] a_i,
    input  wire [3:0] b_i,
    output reg  [7:0] p_o
);

  always @(posedge clk_i) p_o <= a_i * b_i;

endmodule

`default_nettype wire
