// Sums signed terms into 32 bits, wrapping modulo 2^32 as the C kernels do.
//
// clear_i travels one stage ahead of its term: it comes while the term before it is at term_i, and
// drops that term with the partial sum unless it ends its sum. This keeps the accumulator free of
// a multiplexer, which costs a LUT per bit: the flip-flops' synchronous reset does the clearing.

`default_nettype none

module acc_s32 #(
    parameter integer TermWidth = 16  // 1..32
) (
    input  wire                        clk_i,
    input  wire                        rst_i,
    input  wire                        clear_i,
    input  wire                        valid_i,
    input  wire                        last_i,
    input  wire signed [TermWidth-1:0] term_i,
    output wire                        valid_o,  // one cycle per sum
    output wire signed [         31:0] acc_o     // holds the last finished sum
);

  reg signed  [31:0] sum_q;
  reg signed  [31:0] acc_q;
  reg                valid_q;
  wire signed [31:0] sum_d;
  wire signed [31:0] term;
  wire               done;

  generate
    if (TermWidth < 1 || TermWidth > 32) begin : gen_reject_term_width
      acc_s32_parameter_TermWidth_must_be_1_to_32 reject ();
    end
    if (TermWidth < 32) begin : gen_extend
      assign term = {{(32 - TermWidth) {term_i[TermWidth-1]}}, term_i};
    end else begin : gen_full
      assign term = term_i;
    end
  endgenerate

  assign sum_d = sum_q + term;
  assign done  = valid_i && last_i && !rst_i;

  always @(posedge clk_i) begin
    if (rst_i || clear_i || done) begin
      sum_q <= 32'sd0;
    end else if (valid_i) begin
      sum_q <= sum_d;
    end
    if (done) begin
      acc_q <= sum_d;
    end
    valid_q <= done;
  end

  assign valid_o = valid_q;
  assign acc_o   = acc_q;

endmodule

`default_nettype wire
