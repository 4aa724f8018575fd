// Four int4 multiply-accumulates, two operands by two, so that one DSP block can do all: acc 2j+i
// (32 bits, acc 0 lowest) += lane i of a_i * lane j of b_i. Control as dot.v; latency 4.

`default_nettype none

module mac4_s4 (
    input  wire         clk_i,
    input  wire         rst_i,
    input  wire         valid_i,
    input  wire         clear_i,
    input  wire         last_i,
    input  wire [   7:0] a_i,
    input  wire [   7:0] b_i,
    output wire         valid_o,
    output wire [ 127:0] acc_o
);

  wire [31:0] product;
  wire        valid;
  wire        clear;
  wire        last;
  wire [ 3:0] done;

  mul4_s4 u_mul (
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
    for (k = 0; k < 4; k = k + 1) begin : gen_acc
      acc_s32 #(
          .TermWidth(8)
      ) u_acc (
          .clk_i  (clk_i),
          .rst_i  (rst_i),
          .clear_i(clear),
          .valid_i(valid),
          .last_i (last),
          .term_i (product[8*k+:8]),
          .valid_o(done[k]),
          .acc_o  (acc_o[32*k+:32])
      );
    end
  endgenerate

  assign valid_o = done[0];

endmodule

`default_nettype wire
