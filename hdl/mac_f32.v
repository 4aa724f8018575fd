// y_o = a_i * b_i + c_i in IEEE 754 binary32: the product is rounded, then the sum, to nearest
// even, as C computes it without contraction. Latency 11, one a cycle.
//
// To accumulate, feed y_o back into c_i: eleven interleaved sums keep the pipeline full.
// Subnormals, infinities and signed zeros are IEEE 754's; every NaN result is the canonical quiet
// one.

`default_nettype none

module mac_f32 (
    input  wire        clk_i,
    input  wire        rst_i,
    input  wire        valid_i,
    input  wire [31:0] a_i,
    input  wire [31:0] b_i,
    input  wire [31:0] c_i,
    output wire        valid_o,
    output wire [31:0] y_o
);

  localparam integer MulLatency = 6;
  localparam integer AddLatency = 5;
  localparam integer Latency = MulLatency + AddLatency;

  wire [31:0] product;
  wire [31:0] c;
  reg  [Latency-1:0] valid_q;

  mul_f32 u_mul (
      .clk_i(clk_i),
      .a_i  (a_i),
      .b_i  (b_i),
      .y_o  (product)
  );

  delay #(
      .Width (32),
      .Cycles(MulLatency)
  ) u_delay (
      .clk_i(clk_i),
      .d_i  (c_i),
      .q_o  (c)
  );

  add_f32 u_add (
      .clk_i(clk_i),
      .a_i  (product),
      .b_i  (c),
      .y_o  (y_o)
  );

  always @(posedge clk_i) begin
    valid_q <= rst_i ? {Latency{1'b0}} : {valid_q[Latency-2:0], valid_i};
  end

  assign valid_o = valid_q[Latency-1];

endmodule

`default_nettype wire
