// packed_o = high * 2^Gap + low, both signed: two operands in one wide multiplier's input.

`default_nettype none

module pack2 #(
    parameter integer Width = 4,  // bits of an operand
    parameter integer Gap   = 9   // Width or more
) (
    input  wire signed [  Width-1:0] low_i,
    input  wire signed [  Width-1:0] high_i,
    output wire signed [Gap+Width:0] packed_o
);

  generate
    if (Width < 1 || Gap < Width) begin : gen_reject_gap
      pack2_parameter_Gap_must_be_at_least_Width reject ();
    end
  endgenerate

  wire [Width:0] borrow;

  assign borrow = {{Width{1'b0}}, low_i[Width-1]};
  assign packed_o[Gap+Width:Gap] = {high_i[Width-1], high_i} - borrow;
  assign packed_o[Gap-1:0] = {{(Gap - Width + 1) {low_i[Width-1]}}, low_i[Width-2:0]};

endmodule

`default_nettype wire
