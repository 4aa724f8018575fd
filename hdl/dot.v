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

  reg [Depth-1:0] valid_q;
  reg [Depth-1:0] last_q;
  reg [Depth-2:0] clear_q;

  always @(posedge clk_i) begin
    valid_q <= rst_i ? {Depth{1'b0}} : {valid_q[Depth-2:0], valid_i};
    last_q  <= {last_q[Depth-2:0], last_i};
  end

  wire [Lanes*ProductWidth-1:0] product;

  genvar k;
  generate
    if (Depth == 2) begin : gen_clear_short
      always @(posedge clk_i) clear_q <= clear_i;
    end else begin : gen_clear_long
      always @(posedge clk_i) clear_q <= {clear_q[Depth-3:0], clear_i};
    end

    for (k = 0; k + 1 < Lanes; k = k + 2) begin : gen_pair
      mul_pair #(
          .AWidth (AWidth),
          .BWidth (BWidth),
          .ASigned(ASigned)
      ) u_mul (
          .clk_i    (clk_i),
          .a_i      (a_i[k*AWidth+:2*AWidth]),
          .b_i      (b_i[k*BWidth+:2*BWidth]),
          .product_o(product[k*ProductWidth+:2*ProductWidth])
      );
    end
    if (Lanes % 2 == 1) begin : gen_single
      mul_s #(
          .AWidth (AWidth),
          .BWidth (BWidth),
          .ASigned(ASigned)
      ) u_mul (
          .clk_i    (clk_i),
          .a_i      (a_i[(Lanes-1)*AWidth+:AWidth]),
          .b_i      (b_i[(Lanes-1)*BWidth+:BWidth]),
          .product_o(product[(Lanes-1)*ProductWidth+:ProductWidth])
      );
    end
  endgenerate

  wire signed [TermWidth-1:0] term;

  generate
    if (Lanes == 1) begin : gen_product
      assign term = product;
    end else begin : gen_tree
      wire signed [TermWidth-1:0] total;
      reg signed  [TermWidth-1:0] term_q;
      sum_tree #(
          .Count(Lanes),
          .Width(ProductWidth)
      ) u_sum (
          .terms_i(product),
          .sum_o  (total)
      );
      always @(posedge clk_i) begin
        term_q <= total;
      end
      assign term = term_q;
    end
  endgenerate

  acc_s32 #(
      .TermWidth(TermWidth)
  ) u_acc (
      .clk_i  (clk_i),
      .rst_i  (rst_i),
      .clear_i(clear_q[Depth-2]),
      .valid_i(valid_q[Depth-1]),
      .last_i (last_q[Depth-1]),
      .term_i (term),
      .valid_o(valid_o),
      .acc_o  (acc_o)
  );

endmodule

`default_nettype wire
