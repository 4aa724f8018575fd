// The measuring harness: Copies of a design between registers, on one clock and two pins.
//
// Operands shift in from si_i; each Group of copies shares one stage of operand registers, which
// the next group takes over a cycle later (as many registers a copy as a Group x Group grid of
// multipliers has operand rows and columns). Results are folded to so_o by registered 4-input
// exclusive ors, so that every path starts and ends in a register and none of the harness's own
// is longer than one LUT. A single copy has its results registered first; in an array the
// design's own output registers do that.
// `harness_dut` is written by harness.py: the design with its ports joined to two vectors.

`default_nettype none

module harness #(
    parameter integer InWidth  = 1,
    parameter integer OutWidth = 1,
    parameter integer Copies   = 1,
    parameter integer Group    = 8
) (
    input  wire clk_i,
    input  wire si_i,
    output wire so_o
);

  localparam integer Stages = (Copies + Group - 1) / Group;

  wire [InWidth*Stages-1:0] operands;
  wire [Copies:0] fold;

  harness_shift #(
      .Width(InWidth)
  ) u_shift (
      .clk_i (clk_i),
      .si_i  (si_i),
      .data_o(operands[InWidth-1:0])
  );

  assign fold[0] = 1'b0;
  assign so_o    = fold[Copies];

  genvar i;
  generate
    for (i = 1; i < Stages; i = i + 1) begin : gen_stage
      harness_register #(
          .Width(InWidth)
      ) u_stage (
          .clk_i (clk_i),
          .data_i(operands[(i-1)*InWidth+:InWidth]),
          .data_o(operands[i*InWidth+:InWidth])
      );
    end

    for (i = 0; i < Copies; i = i + 1) begin : gen_copy
      wire [OutWidth-1:0] result;
      wire [OutWidth-1:0] observed;
      wire parity;
      harness_dut u_dut (
          .clk_i   (clk_i),
          .data_i  (operands[(i/Group)*InWidth+:InWidth]),
          .result_o(result)
      );
      if (Copies == 1) begin : gen_register
        harness_register #(
            .Width(OutWidth)
        ) u_result (
            .clk_i (clk_i),
            .data_i(result),
            .data_o(observed)
        );
      end else begin : gen_direct
        assign observed = result;
      end
      harness_fold #(
          .Width(OutWidth)
      ) u_fold (
          .clk_i (clk_i),
          .data_i(observed),
          .bit_o (parity)
      );
      harness_chain u_chain (
          .clk_i (clk_i),
          .bit_i (parity),
          .fold_i(fold[i]),
          .fold_o(fold[i+1])
      );
    end
  endgenerate

endmodule

module harness_shift #(
    parameter integer Width = 1
) (
    input  wire             clk_i,
    input  wire             si_i,
    output wire [Width-1:0] data_o
);
  reg [Width-1:0] data_q;
  always @(posedge clk_i) data_q <= {data_q, si_i};
  assign data_o = data_q;
endmodule

module harness_register #(
    parameter integer Width = 1
) (
    input  wire             clk_i,
    input  wire [Width-1:0] data_i,
    output wire [Width-1:0] data_o
);
  reg [Width-1:0] data_q;
  always @(posedge clk_i) data_q <= data_i;
  assign data_o = data_q;
endmodule

module harness_fold #(
    parameter integer Width = 1
) (
    input  wire             clk_i,
    input  wire [Width-1:0] data_i,
    output wire             bit_o
);
  localparam integer Quarter = (Width + 3) / 4;

  wire [4*Quarter-1:0] data;
  reg  [  Quarter-1:0] data_q;
  integer i;

  assign data = data_i;
  always @(posedge clk_i) begin
    for (i = 0; i < Quarter; i = i + 1) data_q[i] <= ^data[4*i+:4];
  end

  generate
    if (Quarter == 1) begin : gen_last
      assign bit_o = data_q;
    end else begin : gen_next
      harness_fold #(
          .Width(Quarter)
      ) u_fold (
          .clk_i (clk_i),
          .data_i(data_q),
          .bit_o (bit_o)
      );
    end
  endgenerate
endmodule

module harness_chain (
    input  wire clk_i,
    input  wire bit_i,
    input  wire fold_i,
    output wire fold_o
);
  reg fold_q;
  always @(posedge clk_i) fold_q <= fold_i ^ bit_i;
  assign fold_o = fold_q;
endmodule

`default_nettype wire
