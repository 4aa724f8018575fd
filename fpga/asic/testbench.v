// Feeds a netlist one operand word a cycle, prints every result, and records the nets' changes.
//
// Macros: TOP (module), WORD_BITS, CYCLES, RESULT_BITS, PERIOD (ns), OPERANDS and VCD (files);
// PORTS_report, PORTS_stream or PORTS_float (which interface TOP has); SDF (file, optional).
// Operands change 0.2 ns after the rising edge, as if they came from registers. The recording
// starts after reset and ends with the last operand, so that it holds CYCLES cycles.

`timescale 1ns / 1ps
`default_nettype none

module testbench;

  reg clk = 0;
  reg rst = 1;
  reg valid = 0;
  reg [`WORD_BITS-1:0] words[0:`CYCLES-1];
  reg [`WORD_BITS-1:0] word = 0;
  wire [`RESULT_BITS-1:0] result;
  wire done;
  integer cycle;

  always #(`PERIOD / 2.0) clk = !clk;

`ifdef PORTS_report
  localparam integer Bits = (`WORD_BITS - 1) / 2;
  reg last_q = 0;
  `TOP dut (
      .clk_i(clk),
      .rst_i(rst),
      .en_i(valid),
      .lastdata_i(word[2*Bits]),
      .ifmap_i(word[Bits+:Bits]),
      .weights_i(word[0+:Bits]),
      .accumulation_o(result)
  );
  always @(posedge clk) last_q <= valid && word[2*Bits];
  assign done = last_q;
`endif
`ifdef PORTS_stream
  localparam integer Bits = (`WORD_BITS - 1) / 2;
  `TOP dut (
      .clk_i(clk),
      .rst_i(rst),
      .valid_i(valid),
      .clear_i(1'b0),
      .last_i(word[2*Bits]),
      .a_i(word[Bits+:Bits]),
      .b_i(word[0+:Bits]),
      .valid_o(done),
      .acc_o(result)
  );
`endif
`ifdef PORTS_float
  `TOP dut (
      .clk_i(clk),
      .rst_i(rst),
      .valid_i(valid),
      .a_i(word[64+:32]),
      .b_i(word[32+:32]),
      .c_i(word[0+:32]),
      .valid_o(done),
      .y_o(result)
  );
`endif

`ifdef SDF
  initial $sdf_annotate(`SDF, dut);
`endif

  initial begin
    $readmemh(`OPERANDS, words);
    repeat (4) @(posedge clk);
    #0.2 rst = 0;
    repeat (2) @(posedge clk);
    $dumpfile(`VCD);
    $dumpvars(1, dut);
    for (cycle = 0; cycle < `CYCLES; cycle = cycle + 1) begin
      #0.2 valid = 1;
      word = words[cycle];
      @(posedge clk);
    end
    #0.1 $dumpoff;  // the last edge counts, what it causes does not
    #0.1 valid = 0;
    repeat (40) @(posedge clk);
    $finish;
  end

  // Results come from registers: half a cycle after the edge they are settled.
  always @(negedge clk) if (done && !rst) $display("result %h", result);

endmodule

`default_nettype wire
