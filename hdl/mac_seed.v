// The course report's multiply-accumulate unit as it stands: unsigned operands and an accumulator
// only as wide as they are, so that the upper half of every product and every carry out is lost.
//
// With en_i, each cycle adds ifmap_i * weights_i to a running sum; with lastdata_i as well, that
// sum goes to accumulation_o instead and the next one starts from zero. rst_i is synchronous.

`default_nettype none

module mac_seed #(
    parameter integer W = 32  // bits of operands and accumulator, 1 or more
) (
    input  wire         clk_i,
    input  wire         rst_i,
    input  wire         en_i,
    input  wire         lastdata_i,
    input  wire [W-1:0] ifmap_i,
    input  wire [W-1:0] weights_i,
    output wire [W-1:0] accumulation_o
);

  reg  [W-1:0] accumulation_q;
  reg  [W-1:0] temp_q;
  wire [W-1:0] temp_d;

  assign temp_d = ifmap_i * weights_i + temp_q;

  always @(posedge clk_i) begin
    if (rst_i) begin
      accumulation_q <= {W{1'b0}};
      temp_q         <= {W{1'b0}};
    end else if (en_i) begin
      if (lastdata_i) begin
        accumulation_q <= temp_d;
        temp_q         <= {W{1'b0}};
      end else begin
        temp_q <= temp_d;
      end
    end
  end

  assign accumulation_o = accumulation_q;

  generate
    if (W < 1) begin : gen_reject_w
      mac_seed_parameter_W_must_be_at_least_1 reject ();
    end
  endgenerate

endmodule

`default_nettype wire
