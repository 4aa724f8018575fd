// Leading zeros of 2^Levels bits, as a tree. count_o is 0 where zero_o says that no bit is set.

`default_nettype none

module lzc #(
    parameter integer Levels = 5  // 1 or more
) (
    input  wire [2**Levels-1:0] bits_i,
    output wire [   Levels-1:0] count_o,
    output wire                 zero_o
);

  generate
    if (Levels < 1) begin : gen_reject_levels
      lzc_parameter_Levels_must_be_at_least_1 reject ();
    end
    if (Levels == 1) begin : gen_leaf
      assign zero_o  = !(|bits_i);
      assign count_o = !bits_i[1] && bits_i[0];
    end else begin : gen_node
      localparam integer Half = 2 ** (Levels - 1);
      wire [Levels-2:0] high_count;
      wire [Levels-2:0] low_count;
      wire              high_zero;
      wire              low_zero;
      lzc #(
          .Levels(Levels - 1)
      ) u_high (
          .bits_i (bits_i[2*Half-1:Half]),
          .count_o(high_count),
          .zero_o (high_zero)
      );
      lzc #(
          .Levels(Levels - 1)
      ) u_low (
          .bits_i (bits_i[Half-1:0]),
          .count_o(low_count),
          .zero_o (low_zero)
      );
      assign zero_o  = high_zero && low_zero;
      assign count_o = {high_zero && !low_zero, high_zero ? low_count : high_count};
    end
  endgenerate

endmodule

`default_nettype wire
