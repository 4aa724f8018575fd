// A convolution layer: InLanes * OutLanes multiply-accumulates a cycle, fed from a line buffer and
// a weight memory, with bias and TensorFlow Lite's requantization. Frame follows frame.
//
// After reset the engine takes its weights and parameters once, then any number of frames; input
// rows of the next one are taken while the last one is computed. Streams are valid/ready: a beat
// passes in a cycle with both, and valid stays until then.
//
//   weight  OHWI order, InLanes input channels a beat, lowest lane first
//   param   for each output channel three beats: bias, multiplier (0..2^31-1), shift (-31..30)
//   in      NHWC order, InLanes channels a beat, lowest lane first
//   out     NHWC order, one channel a beat
//
// Weights are symmetric (zero point 0). The bias holds what the C kernels' plan folds into it:
// bias[o] - in_zero_point * sum of the weights of o. Padding reads in_zero_point_i. The constants
// *_i below must hold still from the first frame on.

`default_nettype none

module conv_engine #(
    parameter integer InHeight    = 64,
    parameter integer InWidth     = 64,
    parameter integer InChannels  = 3,
    parameter integer OutChannels = 32,
    parameter integer Kernel      = 5,
    parameter integer Stride      = 1,
    parameter integer Pad         = 0,   // on all four sides, less than Kernel
    parameter integer InLanes     = 1,   // divides InChannels
    parameter integer OutLanes    = 32,  // divides OutChannels
    parameter integer WeightWidth = 8,   // 8 or 4, signed
    parameter integer ActWidth    = 8,   // 8 or 4
    parameter integer ActSigned   = 1    // int8/int4, or 0: uint8/uint4
) (
    input  wire                           clk_i,
    input  wire                           rst_i,
    input  wire                           weight_valid_i,
    output wire                           weight_ready_o,
    input  wire [InLanes*WeightWidth-1:0] weight_data_i,
    input  wire                           param_valid_i,
    output wire                           param_ready_o,
    input  wire [                   31:0] param_data_i,
    input  wire                           in_valid_i,
    output wire                           in_ready_o,
    input  wire [   InLanes*ActWidth-1:0] in_data_i,
    output wire                           out_valid_o,
    input  wire                           out_ready_i,
    output wire [                    7:0] out_data_o,
    input  wire [           ActWidth-1:0] in_zero_point_i,
    input  wire signed [             8:0] out_zero_point_i,
    input  wire signed [             8:0] clamp_min_i,
    input  wire signed [             8:0] clamp_max_i
);

  localparam integer PixelWords = InChannels / InLanes;
  localparam integer OutGroups = OutChannels / OutLanes;
  localparam integer Taps = Kernel * Kernel * PixelWords;
  localparam integer WeightDepth = (OutGroups * Taps > 1) ? OutGroups * Taps : 2;
  localparam integer WeightAddrWidth = $clog2(WeightDepth);
  localparam integer ChannelDepth = (OutChannels > 1) ? OutChannels : 2;
  localparam integer ChannelWidth = $clog2(ChannelDepth);
  localparam integer LaneWidth = (OutLanes > 1) ? $clog2(OutLanes) : 1;
  // One stride of rows beyond the kernel's, so that input and computation overlap.
  localparam integer Rows = Kernel + Stride;
  localparam integer ActAddrWidth = $clog2(Rows * InWidth * PixelWords);
  localparam integer FillWidth = $clog2(Rows + 1);

  generate
    if (InLanes < 1 || InChannels % InLanes != 0) begin : gen_reject_in_lanes
      conv_engine_parameter_InLanes_must_divide_InChannels reject ();
    end
    if (OutLanes < 1 || OutChannels % OutLanes != 0) begin : gen_reject_out_lanes
      conv_engine_parameter_OutLanes_must_divide_OutChannels reject ();
    end
    if (WeightWidth != 8 && WeightWidth != 4) begin : gen_reject_weight_width
      conv_engine_parameter_WeightWidth_must_be_8_or_4 reject ();
    end
    if (ActWidth != 8 && ActWidth != 4) begin : gen_reject_act_width
      conv_engine_parameter_ActWidth_must_be_8_or_4 reject ();
    end
  endgenerate

  // ---- Weights and parameters, once after reset ----

  localparam [WeightAddrWidth-1:0] LastTap = Taps - 1;
  localparam [WeightAddrWidth-1:0] LastWeight = OutGroups * Taps - 1;
  localparam [WeightAddrWidth-1:0] GroupStep = Taps;
  localparam [LaneWidth-1:0] LastLane = OutLanes - 1;
  localparam [ChannelWidth-1:0] LastChannel = OutChannels - 1;

  reg weights_loaded_q;
  reg [WeightAddrWidth-1:0] load_base_q;  // of the group
  reg [WeightAddrWidth-1:0] load_tap_q;
  reg [WeightAddrWidth-1:0] load_addr_q;
  reg [LaneWidth-1:0] load_lane_q;
  wire load_weight, load_lane_end, load_group_end;

  assign weight_ready_o = !weights_loaded_q;
  assign load_weight    = weight_valid_i && weight_ready_o;
  assign load_lane_end  = load_tap_q == LastTap;
  assign load_group_end = load_lane_end && load_lane_q == LastLane;

  always @(posedge clk_i) begin
    if (rst_i) begin
      weights_loaded_q <= 1'b0;
      load_base_q      <= {WeightAddrWidth{1'b0}};
      load_tap_q       <= {WeightAddrWidth{1'b0}};
      load_addr_q      <= {WeightAddrWidth{1'b0}};
      load_lane_q      <= {LaneWidth{1'b0}};
    end else if (load_weight) begin
      load_tap_q  <= load_lane_end ? {WeightAddrWidth{1'b0}} : load_tap_q + 1'b1;
      load_addr_q <= load_addr_q + 1'b1;
      if (load_lane_end) begin
        load_addr_q <= load_base_q;
        load_lane_q <= load_group_end ? {LaneWidth{1'b0}} : load_lane_q + 1'b1;
      end
      if (load_group_end) begin
        load_addr_q      <= load_base_q + GroupStep;
        load_base_q      <= load_base_q + GroupStep;
        weights_loaded_q <= load_addr_q == LastWeight;
      end
    end
  end

  reg params_loaded_q;
  reg [1:0] param_beat_q;
  reg [ChannelWidth-1:0] param_channel_q;
  reg [31:0] bias_q;
  reg [30:0] multiplier_q;
  wire load_param, load_channel;

  assign param_ready_o = !params_loaded_q;
  assign load_param    = param_valid_i && param_ready_o;
  assign load_channel  = load_param && param_beat_q == 2'd2;

  always @(posedge clk_i) begin
    if (rst_i) begin
      params_loaded_q <= 1'b0;
      param_beat_q    <= 2'd0;
      param_channel_q <= {ChannelWidth{1'b0}};
    end else if (load_param) begin
      param_beat_q <= load_channel ? 2'd0 : param_beat_q + 2'd1;
      if (param_beat_q == 2'd0) begin
        bias_q <= param_data_i;
      end
      if (param_beat_q == 2'd1) begin
        multiplier_q <= param_data_i[30:0];
      end
      if (load_channel) begin
        param_channel_q <= param_channel_q + 1'b1;
        params_loaded_q <= param_channel_q == LastChannel;
      end
    end
  end

  // ---- Taps ----

  wire [FillWidth-1:0] fill;
  wire [ActAddrWidth-1:0] top_addr, act_addr;
  wire [WeightAddrWidth-1:0] weight_addr;
  wire release_row, tap_valid, tap_last, tap_pad;
  reg tap_valid_q, tap_last_q, tap_pad_q;
  reg results_busy_q;

  conv_sequencer #(
      .InHeight  (InHeight),
      .InWidth   (InWidth),
      .PixelWords(PixelWords),
      .OutGroups (OutGroups),
      .Kernel    (Kernel),
      .Stride    (Stride),
      .Pad       (Pad),
      .Rows      (Rows)
  ) u_sequencer (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .enable_i     (weights_loaded_q && params_loaded_q),
      .hold_i       (results_busy_q),
      .fill_i       (fill),
      .top_addr_i   (top_addr),
      .release_o    (release_row),
      .valid_o      (tap_valid),
      .last_o       (tap_last),
      .pad_o        (tap_pad),
      .act_addr_o   (act_addr),
      .weight_addr_o(weight_addr)
  );

  wire [InLanes*ActWidth-1:0] line_data;
  wire [InLanes*ActWidth-1:0] acts;

  line_buffer #(
      .Width   (InLanes * ActWidth),
      .RowWords(InWidth * PixelWords),
      .Rows    (Rows)
  ) u_lines (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (in_valid_i),
      .in_ready_o (in_ready_o),
      .in_data_i  (in_data_i),
      .fill_o     (fill),
      .top_addr_o (top_addr),
      .release_i  (release_row),
      .read_addr_i(act_addr),
      .read_data_o(line_data)
  );

  always @(posedge clk_i) begin
    tap_valid_q <= tap_valid && !rst_i;
    tap_last_q  <= tap_last;
    tap_pad_q   <= tap_pad;
  end

  assign acts = tap_pad_q ? {InLanes{in_zero_point_i}} : line_data;

  // ---- Multiply-accumulate array ----

  wire [OutLanes*32-1:0] sums;
  wire [OutLanes-1:0] sums_valid;

  genvar k;
  generate
    for (k = 0; k < OutLanes; k = k + 1) begin : gen_lane
      localparam [LaneWidth-1:0] Lane = k;
      wire [InLanes*WeightWidth-1:0] weights;

      ram_1r1w #(
          .Width(InLanes * WeightWidth),
          .Depth(WeightDepth)
      ) u_weights (
          .clk_i       (clk_i),
          .write_i     (load_weight && load_lane_q == Lane),
          .write_addr_i(load_addr_q),
          .write_data_i(weight_data_i),
          .read_i      (1'b1),
          .read_addr_i (weight_addr),
          .read_data_o (weights)
      );

      dot #(
          .Lanes  (InLanes),
          .AWidth (ActWidth),
          .BWidth (WeightWidth),
          .ASigned(ActSigned)
      ) u_dot (
          .clk_i  (clk_i),
          .rst_i  (rst_i),
          .valid_i(tap_valid_q),
          .clear_i(1'b0),
          .last_i (tap_last_q),
          .a_i    (acts),
          .b_i    (weights),
          .valid_o(sums_valid[k]),
          .acc_o  (sums[32*k+:32])
      );
    end
  endgenerate

  // ---- Results, one channel a cycle ----

  // A window's sums stay in the accumulators' output registers until all are taken; the sequencer
  // holds back the next window's last tap until then.
  reg draining_q;
  reg [LaneWidth-1:0] lane_q;
  reg [ChannelWidth-1:0] channel_q;
  reg sum_valid_q;
  reg [31:0] sum_q;
  wire advance, drain_end;
  wire [68:0] param;

  assign advance   = out_ready_i || !out_valid_o;
  assign drain_end = lane_q == LastLane;

  always @(posedge clk_i) begin
    if (rst_i) begin
      draining_q     <= 1'b0;
      results_busy_q <= 1'b0;
      lane_q         <= {LaneWidth{1'b0}};
      channel_q      <= {ChannelWidth{1'b0}};
      sum_valid_q    <= 1'b0;
    end else begin
      if (tap_valid && tap_last) begin
        results_busy_q <= 1'b1;
      end
      if (sums_valid[0]) begin
        draining_q <= 1'b1;
      end
      if (advance) begin
        sum_valid_q <= draining_q;
        if (draining_q) begin
          lane_q    <= drain_end ? {LaneWidth{1'b0}} : lane_q + 1'b1;
          channel_q <= (channel_q == LastChannel) ? {ChannelWidth{1'b0}} : channel_q + 1'b1;
          if (drain_end) begin
            draining_q     <= 1'b0;
            results_busy_q <= 1'b0;
          end
        end
      end
    end
    if (advance) begin
      sum_q <= sums[32*lane_q+:32];
    end
  end

  ram_1r1w #(
      .Width(69),
      .Depth(ChannelDepth)
  ) u_params (
      .clk_i       (clk_i),
      .write_i     (load_channel),
      .write_addr_i(param_channel_q),
      .write_data_i({param_data_i[5:0], multiplier_q, bias_q}),
      .read_i      (advance),
      .read_addr_i (channel_q),
      .read_data_o (param)
  );

  requantize u_requantize (
      .clk_i       (clk_i),
      .rst_i       (rst_i),
      .enable_i    (advance),
      .valid_i     (sum_valid_q),
      .sum_i       (sum_q),
      .bias_i      (param[31:0]),
      .multiplier_i(param[62:32]),
      .shift_i     (param[68:63]),
      .zero_point_i(out_zero_point_i),
      .clamp_min_i (clamp_min_i),
      .clamp_max_i (clamp_max_i),
      .valid_o     (out_valid_o),
      .data_o      (out_data_o)
  );

endmodule

`default_nettype wire
