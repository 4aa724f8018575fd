// Carries valid, last and clear beside operands through Depth registers to acc_s32, which wants
// clear one stage ahead of the rest.

`default_nettype none

module tag_pipe #(
    parameter integer Depth = 2  // 2 or more
) (
    input  wire clk_i,
    input  wire rst_i,
    input  wire valid_i,
    input  wire clear_i,
    input  wire last_i,
    output wire valid_o,
    output wire clear_o,
    output wire last_o
);

  reg [Depth-1:0] valid_q;
  reg [Depth-1:0] last_q;
  reg [Depth-2:0] clear_q;

  always @(posedge clk_i) begin
    valid_q <= rst_i ? {Depth{1'b0}} : {valid_q[Depth-2:0], valid_i};
    last_q  <= {last_q[Depth-2:0], last_i};
  end

  generate
    if (Depth < 2) begin : gen_reject_depth
      tag_pipe_parameter_Depth_must_be_at_least_2 reject ();
    end
    if (Depth == 2) begin : gen_clear
      always @(posedge clk_i) clear_q <= clear_i;
    end else begin : gen_clear_shift
      always @(posedge clk_i) clear_q <= {clear_q[Depth-3:0], clear_i};
    end
  endgenerate

  assign valid_o = valid_q[Depth-1];
  assign last_o  = last_q[Depth-1];
  assign clear_o = clear_q[Depth-2];

endmodule

`default_nettype wire
