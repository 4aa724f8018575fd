// Dot product of two vectors of Lanes small integers, accumulated in 32 bits modulo 2^32.
//
// Lane 0 is the lowest bits. b is signed; a is signed unless ASigned is 0. clear_i drops the
// partial sum before this cycle's products (and those of a cycle without valid_i are none);
// last_i with valid_i ends the sum, and the next product starts a new one.
// valid_o: Latency cycles after last_i, for one cycle; acc_o holds until the next sum ends.
// Latency is 3 cycles for one lane, 4 for more; a new vector every cycle.

`default_nettype none

module dot #(
    parameter integer Lanes   = 4,
    parameter integer AWidth  = 8,
    parameter integer BWidth  = 8,
    parameter integer ASigned = 1
) (
    input  wire                     clk_i,
    input  wire                     rst_i,
    input  wire                     valid_i,
    input  wire                     clear_i,
    input  wire                     last_i,
    input  wire [ Lanes*AWidth-1:0] a_i,
    input  wire [ Lanes*BWidth-1:0] b_i,
    output wire                     valid_o,
    output wire signed [      31:0] acc_o
);

  localparam integer Depth = (Lanes == 1) ? 2 : 3;  // registers ahead of the accumulator
  localparam integer ProductWidth = AWidth + BWidth;
  localparam integer TermWidth = ProductWidth + $clog2(Lanes);

  generate
    if (Lanes < 1) begin : gen_reject_lanes
      dot_parameter_Lanes_must_be_at_least_1 reject ();
    end
    if (TermWidth > 32) begin : gen_reject_width
      dot_parameters_sum_of_products_must_fit_32_bits reject ();
    end
  endgenerate

  wire                        valid;
  wire                        clear;
  wire                        last;
  wire signed [TermWidth-1:0] term;

  tag_pipe #(
      .Depth(Depth)
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
    if (Lanes == 1) begin : gen_mac
      mul_s #(
          .AWidth (AWidth),
          .BWidth (BWidth),
          .ASigned(ASigned)
      ) u_mul (
          .clk_i    (clk_i),
          .a_i      (a_i),
          .b_i      (b_i),
          .product_o(term)
      );
    end else begin : gen_dot
      localparam integer Pairs = (Lanes + 1) / 2;
      localparam integer PairWidth = ProductWidth + 1;
      wire        [Pairs*PairWidth-1:0] pairs;
      wire signed [      TermWidth-1:0] term_d;
      reg signed  [      TermWidth-1:0] term_q;

      for (k = 0; k < Lanes / 2; k = k + 1) begin : gen_pair
        dot2 #(
            .AWidth (AWidth),
            .BWidth (BWidth),
            .ASigned(ASigned)
        ) u_dot2 (
            .clk_i(clk_i),
            .a_i  (a_i[2*k*AWidth+:2*AWidth]),
            .b_i  (b_i[2*k*BWidth+:2*BWidth]),
            .sum_o(pairs[k*PairWidth+:PairWidth])
        );
      end
      if (Lanes % 2 == 1) begin : gen_odd
        wire signed [ProductWidth-1:0] product;
        mul_s #(
            .AWidth (AWidth),
            .BWidth (BWidth),
            .ASigned(ASigned)
        ) u_mul (
            .clk_i    (clk_i),
            .a_i      (a_i[(Lanes-1)*AWidth+:AWidth]),
            .b_i      (b_i[(Lanes-1)*BWidth+:BWidth]),
            .product_o(product)
        );
        assign pairs[(Pairs-1)*PairWidth+:PairWidth] = {product[ProductWidth-1], product};
      end

      sum_tree #(
          .Count(Pairs),
          .Width(PairWidth)
      ) u_sum (
          .terms_i(pairs),
          .sum_o  (term_d)
      );

      always @(posedge clk_i) begin
        term_q <= term_d;
      end

      assign term = term_q;
    end
  endgenerate

  acc_s32 #(
      .TermWidth(TermWidth)
  ) u_acc (
      .clk_i  (clk_i),
      .rst_i  (rst_i),
      .clear_i(clear),
      .valid_i(valid),
      .last_i (last),
      .term_i (term),
      .valid_o(valid_o),
      .acc_o  (acc_o)
  );

endmodule

`default_nettype wire
