// q_o is d_i Cycles cycles ago.

`default_nettype none

module delay #(
    parameter integer Width  = 1,
    parameter integer Cycles = 1  // 1 or more
) (
    input  wire             clk_i,
    input  wire [Width-1:0] d_i,
    output wire [Width-1:0] q_o
);

  reg [Cycles*Width-1:0] pipe_q;

  generate
    if (Cycles < 1 || Width < 1) begin : gen_reject
      delay_parameters_Cycles_and_Width_must_be_at_least_1 reject ();
    end
    if (Cycles == 1) begin : gen_one
      always @(posedge clk_i) pipe_q <= d_i;
    end else begin : gen_more
      always @(posedge clk_i) pipe_q <= {pipe_q[(Cycles-1)*Width-1:0], d_i};
    end
  endgenerate

  assign q_o = pipe_q[(Cycles-1)*Width+:Width];

endmodule

`default_nettype wire
