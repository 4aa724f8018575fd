// The exact sum of Count signed terms, as a balanced tree of adders. Combinational.

`default_nettype none

module sum_tree #(
    parameter integer Count = 4,  // 1 or more
    parameter integer Width = 16
) (
    input  wire        [         Count*Width-1:0] terms_i,
    output wire signed [Width+$clog2(Count)-1:0] sum_o
);

  localparam integer SumWidth = Width + $clog2(Count);

  generate
    if (Count < 1 || Width < 1) begin : gen_reject
      sum_tree_parameters_Count_and_Width_must_be_at_least_1 reject ();
    end
    if (Count == 1) begin : gen_leaf
      assign sum_o = terms_i;
    end else begin : gen_node
      // The larger half is as deep as the tree below this node; the smaller may be shallower.
      localparam integer High = Count / 2;
      localparam integer Low = Count - High;
      wire signed [ Width+$clog2(Low)-1:0] low;
      wire signed [Width+$clog2(High)-1:0] high;
      sum_tree #(
          .Count(Low),
          .Width(Width)
      ) u_low (
          .terms_i(terms_i[Low*Width-1:0]),
          .sum_o  (low)
      );
      sum_tree #(
          .Count(High),
          .Width(Width)
      ) u_high (
          .terms_i(terms_i[Count*Width-1:Low*Width]),
          .sum_o  (high)
      );
      assign sum_o = {{(SumWidth - Width - $clog2(Low)) {low[Width+$clog2(Low)-1]}}, low}
                   + {{(SumWidth - Width - $clog2(High)) {high[Width+$clog2(High)-1]}}, high};
    end
  endgenerate

endmodule

`default_nettype wire
