// Two int8 multiply-accumulates that share an operand, so that one DSP block can do both: acc k
// (32 bits, acc 0 lowest) += a_i * lane k of b_i. Control as dot.v; latency 4.

`default_nettype none

module mac2_s8 (
    input  wire         clk_i,
    input  wire         rst_i,
    input  wire         valid_i,
    input  wire         clear_i,
    input  wire         last_i,
    input  wire [   7:0] a_i,
    input  wire [  15:0] b_i,
    output wire         valid_o,
    output wire [  63:0] acc_o
);

  wire [31:0] product;
  wire        valid;
  wire        clear;
  wire        last;
  wire [ 1:0] done;

  mul2_s8 u_mul (
      .clk_i    (clk_i),
      .a_i      (a_i),
      .b_i      (b_i),
      .product_o(product)
  );

  tag_pipe #(
      .Depth(3)
  ) u_tags (
      .clk_i  (clk_i),
      .rst_i  (rst_i),
      .valid_i(valid_i),
      .clear_i(clear_i),
      .last_i (last_i),
      .valid_o(valid),
      .clear_o(clear),
      .last_o (last)
  );

  genvar k;
  generate
    for (k = 0; k < 2; k = k + 1) begin : gen_acc
      acc_s32 #(
          .TermWidth(16)
      ) u_acc (
          .clk_i  (clk_i),
          .rst_i  (rst_i),
          .clear_i(clear),
          .valid_i(valid),
          .last_i (last),
          .term_i (product[16*k+:16]),
          .valid_o(done[k]),
          .acc_o  (acc_o[32*k+:32])
      );
    end
  endgenerate

  assign valid_o = done[0];

endmodule

`default_nettype wire
