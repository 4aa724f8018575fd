// The last rows of an image that arrives row by row as a stream of words: a ring of Rows rows.
//
// A row counts in fill_o once all its words are there; the stream stops while the ring is full.
// release_i frees the oldest row (fill_o must not be 0). top_addr_o is the oldest row's address,
// the rows after it follow at RowWords each, wrapping to 0 at Rows * RowWords.

`default_nettype none

module line_buffer #(
    parameter integer Width    = 8,
    parameter integer RowWords = 64,
    parameter integer Rows     = 6,
    // Derived: do not set.
    parameter integer AddrWidth = $clog2(Rows * RowWords),
    parameter integer FillWidth = $clog2(Rows + 1)
) (
    input  wire                 clk_i,
    input  wire                 rst_i,
    input  wire                 in_valid_i,
    output wire                 in_ready_o,
    input  wire [    Width-1:0] in_data_i,
    output wire [FillWidth-1:0] fill_o,
    output wire [AddrWidth-1:0] top_addr_o,
    input  wire                 release_i,
    input  wire [AddrWidth-1:0] read_addr_i,
    output wire [    Width-1:0] read_data_o  // one cycle after its address
);

  generate
    if (RowWords < 1 || Rows < 2) begin : gen_reject
      line_buffer_parameters_need_RowWords_at_least_1_and_Rows_at_least_2 reject ();
    end
  endgenerate

  localparam integer WordWidth = (RowWords > 1) ? $clog2(RowWords) : 1;
  localparam [WordWidth-1:0] LastWord = RowWords - 1;
  localparam [AddrWidth-1:0] LastAddr = Rows * RowWords - 1;
  localparam [AddrWidth-1:0] LastTop = (Rows - 1) * RowWords;
  localparam [AddrWidth-1:0] RowStep = RowWords;
  localparam [FillWidth-1:0] Full = Rows;

  reg  [AddrWidth-1:0] write_addr_q;
  reg  [WordWidth-1:0] word_q;
  reg  [AddrWidth-1:0] top_addr_q;
  reg  [FillWidth-1:0] fill_q;
  wire                 write;
  wire                 row_done;

  assign in_ready_o = fill_q != Full;
  assign write      = in_valid_i && in_ready_o;
  assign row_done   = write && word_q == LastWord;

  always @(posedge clk_i) begin
    if (rst_i) begin
      write_addr_q <= {AddrWidth{1'b0}};
      word_q       <= {WordWidth{1'b0}};
      top_addr_q   <= {AddrWidth{1'b0}};
      fill_q       <= {FillWidth{1'b0}};
    end else begin
      if (write) begin
        write_addr_q <= (write_addr_q == LastAddr) ? {AddrWidth{1'b0}} : write_addr_q + 1'b1;
        word_q       <= row_done ? {WordWidth{1'b0}} : word_q + 1'b1;
      end
      if (release_i) begin
        top_addr_q <= (top_addr_q == LastTop) ? {AddrWidth{1'b0}} : top_addr_q + RowStep;
      end
      fill_q <= fill_q + {{(FillWidth - 1) {1'b0}}, row_done}
              - {{(FillWidth - 1) {1'b0}}, release_i};
    end
  end

  ram_1r1w #(
      .Width(Width),
      .Depth(Rows * RowWords)
  ) u_ram (
      .clk_i       (clk_i),
      .write_i     (write),
      .write_addr_i(write_addr_q),
      .write_data_i(in_data_i),
      .read_i      (1'b1),
      .read_addr_i (read_addr_i),
      .read_data_o (read_data_o)
  );

  assign fill_o     = fill_q;
  assign top_addr_o = top_addr_q;

endmodule

`default_nettype wire
