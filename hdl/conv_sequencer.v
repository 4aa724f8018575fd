// Walks a convolution: for every output pixel, row by row, and every group of output channels, the
// kernel's taps (row, column, word of channels), one a cycle.
//
// Outputs belong to a tap while valid_o is set: where its activations are in the line buffer, or
// pad_o where it lies outside the image; where its weights are; whether it is the window's last.
// A window's last tap waits while hold_i is set. A row waits for its input rows, and those that
// the next one no longer needs are released at its end.

`default_nettype none

module conv_sequencer #(
    parameter integer InHeight     = 8,
    parameter integer InWidth      = 8,
    parameter integer PixelWords   = 1,  // words of channels in a pixel
    parameter integer OutGroups    = 1,  // groups of output channels
    parameter integer Kernel       = 3,
    parameter integer Stride       = 1,
    parameter integer Pad          = 0,
    parameter integer Rows         = 4,  // of the line buffer
    // Derived: do not set.
    parameter integer ActAddrWidth = $clog2(Rows * InWidth * PixelWords),
    parameter integer FillWidth    = $clog2(Rows + 1),
    parameter integer WeightDepth  = OutGroups * Kernel * Kernel * PixelWords,
    parameter integer WeightAddrWidth = (WeightDepth > 1) ? $clog2(WeightDepth) : 1
) (
    input  wire                       clk_i,
    input  wire                       rst_i,
    input  wire                       enable_i,       // weights and parameters are there
    input  wire                       hold_i,
    input  wire [      FillWidth-1:0] fill_i,
    input  wire [   ActAddrWidth-1:0] top_addr_i,
    output wire                       release_o,
    output wire                       valid_o,
    output wire                       last_o,
    output wire                       pad_o,
    output wire [   ActAddrWidth-1:0] act_addr_o,
    output wire [WeightAddrWidth-1:0] weight_addr_o
);

  localparam integer Step = (Stride < 1) ? 1 : Stride;  // a stride of 0 is rejected below
  localparam integer OutHeight = (InHeight + 2 * Pad - Kernel) / Step + 1;
  localparam integer OutWidth = (InWidth + 2 * Pad - Kernel) / Step + 1;
  localparam integer RowWords = InWidth * PixelWords;

  localparam integer MaxSide = (InHeight > InWidth) ? InHeight : InWidth;
  localparam integer PosWidth = $clog2(MaxSide + Pad + Kernel + Stride + 1) + 1;
  localparam integer OffsetWidth = $clog2((InWidth + Pad + Kernel + Stride) * PixelWords + 1) + 1;
  localparam integer WordWidth = (PixelWords > 1) ? $clog2(PixelWords) : 1;
  localparam integer KernelWidth = (Kernel > 1) ? $clog2(Kernel) : 1;
  localparam integer GroupWidth = (OutGroups > 1) ? $clog2(OutGroups) : 1;
  localparam integer ColumnWidth = (OutWidth > 1) ? $clog2(OutWidth) : 1;
  localparam integer RowWidth = (OutHeight > 1) ? $clog2(OutHeight) : 1;
  localparam integer SumWidth = ((OffsetWidth > ActAddrWidth) ? OffsetWidth : ActAddrWidth) + 1;

  localparam [WordWidth-1:0] LastWord = PixelWords - 1;
  localparam [KernelWidth-1:0] LastTap = Kernel - 1;
  localparam [GroupWidth-1:0] LastGroup = OutGroups - 1;
  localparam [ColumnWidth-1:0] LastColumn = OutWidth - 1;
  localparam [RowWidth-1:0] LastRow = OutHeight - 1;
  localparam [ActAddrWidth-1:0] LastTop = (Rows - 1) * RowWords;
  localparam [ActAddrWidth-1:0] RowStep = RowWords;

  localparam signed [PosWidth-1:0] FirstPos = -Pad;
  localparam signed [PosWidth-1:0] PosStep = Stride;
  localparam signed [PosWidth-1:0] PosKernel = Kernel;
  localparam signed [PosWidth-1:0] Height = InHeight;
  localparam signed [PosWidth-1:0] Width = InWidth;
  localparam signed [PosWidth-1:0] One = 1;
  localparam signed [PosWidth-1:0] Zero = 0;
  localparam signed [OffsetWidth-1:0] FirstOffset = -Pad * PixelWords;
  localparam signed [OffsetWidth-1:0] OffsetStep = Stride * PixelWords;

  localparam [1:0] StWait = 2'd0;
  localparam [1:0] StRun = 2'd1;
  localparam [1:0] StRelease = 2'd2;

  reg [1:0] state_q;

  // The loops, innermost first.
  reg [WordWidth-1:0] word_q;
  reg [KernelWidth-1:0] tap_x_q;
  reg [KernelWidth-1:0] tap_y_q;
  reg [GroupWidth-1:0] group_q;
  reg [ColumnWidth-1:0] column_q;
  reg [RowWidth-1:0] row_q;
  wire word_end, tap_x_end, tap_y_end, group_end, column_end, row_end;

  assign word_end   = word_q == LastWord;
  assign tap_x_end  = word_end && tap_x_q == LastTap;
  assign tap_y_end  = tap_x_end && tap_y_q == LastTap;
  assign group_end  = tap_y_end && group_q == LastGroup;
  assign column_end = group_end && column_q == LastColumn;
  assign row_end    = row_q == LastRow;

  // Positions in the image, outside of it where padded.
  reg signed [PosWidth-1:0] window_y_q;
  reg signed [PosWidth-1:0] window_x_q;
  reg signed [PosWidth-1:0] y_q;
  reg signed [PosWidth-1:0] x_q;
  reg signed [OffsetWidth-1:0] window_offset_q;  // of column window_x_q in a row, in words
  reg signed [OffsetWidth-1:0] offset_q;
  reg [ActAddrWidth-1:0] line_addr_q;  // of row y_q, or of the first inside the image
  reg [WeightAddrWidth-1:0] weight_addr_q;

  wire inside_y;
  assign inside_y = y_q >= Zero && y_q < Height;

  // Rows of the image that this row of windows needs, and that the next one no longer does.
  wire signed [PosWidth-1:0] first;
  wire signed [PosWidth-1:0] bottom;
  wire signed [PosWidth-1:0] end_y;
  wire signed [PosWidth-1:0] needed;
  wire signed [PosWidth-1:0] next_y;
  wire signed [PosWidth-1:0] next_first;
  wire signed [PosWidth-1:0] fill;
  reg signed [PosWidth-1:0] surplus_q;

  assign first      = (window_y_q < Zero) ? Zero : window_y_q;
  assign bottom     = window_y_q + PosKernel;
  assign end_y      = (bottom > Height) ? Height : bottom;
  assign needed     = end_y - first;
  assign next_y     = window_y_q + PosStep;
  assign next_first = row_end ? Height : (next_y < Zero) ? Zero : next_y;
  assign fill       = $signed({{(PosWidth - FillWidth) {1'b0}}, fill_i});

  generate
    if (Kernel < 1 || Stride < 1 || Pad < 0 || Pad >= Kernel) begin : gen_reject_kernel
      conv_sequencer_parameters_need_Kernel_and_Stride_at_least_1_and_0_to_Kernel_less_1_Pad
          reject ();
    end
    if (InHeight + 2 * Pad < Kernel || InWidth + 2 * Pad < Kernel) begin : gen_reject_image
      conv_sequencer_parameters_InHeight_and_InWidth_must_hold_the_kernel reject ();
    end
    if (Rows < Kernel) begin : gen_reject_rows
      conv_sequencer_parameter_Rows_must_be_at_least_Kernel reject ();
    end
  endgenerate

  assign last_o    = tap_y_end;
  assign valid_o   = state_q == StRun && !(tap_y_end && hold_i);
  assign release_o = state_q == StRelease && surplus_q != Zero && fill_i != {FillWidth{1'b0}};

  always @(posedge clk_i) begin
    if (rst_i) begin
      state_q    <= StWait;
      row_q      <= {RowWidth{1'b0}};
      window_y_q <= FirstPos;
    end else begin
      case (state_q)
        StWait: begin
          word_q          <= {WordWidth{1'b0}};
          tap_x_q         <= {KernelWidth{1'b0}};
          tap_y_q         <= {KernelWidth{1'b0}};
          group_q         <= {GroupWidth{1'b0}};
          column_q        <= {ColumnWidth{1'b0}};
          window_x_q      <= FirstPos;
          x_q             <= FirstPos;
          y_q             <= window_y_q;
          window_offset_q <= FirstOffset;
          offset_q        <= FirstOffset;
          line_addr_q     <= top_addr_i;
          weight_addr_q   <= {WeightAddrWidth{1'b0}};
          if (enable_i && fill >= needed) begin
            state_q <= StRun;
          end
        end

        StRun: begin
          if (valid_o) begin
            word_q        <= word_end ? {WordWidth{1'b0}} : word_q + 1'b1;
            offset_q      <= offset_q + 1'b1;
            weight_addr_q <= group_end ? {WeightAddrWidth{1'b0}} : weight_addr_q + 1'b1;
            if (word_end) begin
              tap_x_q <= tap_x_end ? {KernelWidth{1'b0}} : tap_x_q + 1'b1;
              x_q     <= x_q + One;
            end
            if (tap_x_end) begin
              tap_y_q  <= tap_y_end ? {KernelWidth{1'b0}} : tap_y_q + 1'b1;
              y_q      <= y_q + One;
              x_q      <= window_x_q;
              offset_q <= window_offset_q;
              if (inside_y) begin
                line_addr_q <= (line_addr_q == LastTop) ? {ActAddrWidth{1'b0}}
                                                        : line_addr_q + RowStep;
              end
            end
            if (tap_y_end) begin
              group_q     <= group_end ? {GroupWidth{1'b0}} : group_q + 1'b1;
              y_q         <= window_y_q;
              line_addr_q <= top_addr_i;
            end
            if (group_end) begin
              column_q        <= column_q + 1'b1;
              window_x_q      <= window_x_q + PosStep;
              x_q             <= window_x_q + PosStep;
              window_offset_q <= window_offset_q + OffsetStep;
              offset_q        <= window_offset_q + OffsetStep;
            end
            if (column_end) begin
              state_q   <= StRelease;
              surplus_q <= next_first - first;
            end
          end
        end

        default: begin  // StRelease
          if (surplus_q == Zero) begin
            state_q    <= StWait;
            row_q      <= row_end ? {RowWidth{1'b0}} : row_q + 1'b1;
            window_y_q <= row_end ? FirstPos : next_y;
          end else if (release_o) begin
            surplus_q <= surplus_q - One;
          end
        end
      endcase
    end
  end

  // The sum is only used where it lies inside the ring.
  wire signed [SumWidth-1:0] act_addr;
  assign act_addr = $signed({{(SumWidth - ActAddrWidth) {1'b0}}, line_addr_q})
                  + {{(SumWidth - OffsetWidth) {offset_q[OffsetWidth-1]}}, offset_q};

  assign pad_o = !inside_y || x_q < Zero || x_q >= Width;
  assign act_addr_o = act_addr[ActAddrWidth-1:0];
  assign weight_addr_o = weight_addr_q;

endmodule

`default_nettype wire
