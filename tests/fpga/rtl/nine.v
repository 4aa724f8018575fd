// Nine multipliers: one more than an iCE40 UP5K has DSP blocks.

`default_nettype none

module nine (
    input  wire         clk_i,
    input  wire [143:0] a_i,
    input  wire [ 15:0] b_i,
    output reg  [ 31:0] p_o
);

  reg [31:0] product_q[0:8];
  integer k;

  always @(posedge clk_i) begin
    for (k = 0; k < 9; k = k + 1) product_q[k] <= a_i[16*k+:16] * b_i;
    p_o <= product_q[0] ^ product_q[1] ^ product_q[2] ^ product_q[3] ^ product_q[4]
        ^ product_q[5] ^ product_q[6] ^ product_q[7] ^ product_q[8];
  end

endmodule

`default_nettype wire
