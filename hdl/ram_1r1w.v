// Memory with a write port and a read port; read_data_o is the word at the address of one enabled
// cycle ago. A word read in the cycle that writes it is undefined.

`default_nettype none

module ram_1r1w #(
    parameter integer Width = 8,
    parameter integer Depth = 16,  // words, 2 or more
    // Derived: do not set.
    parameter integer AddrWidth = $clog2(Depth)
) (
    input  wire                 clk_i,
    input  wire                 write_i,
    input  wire [AddrWidth-1:0] write_addr_i,
    input  wire [    Width-1:0] write_data_i,
    input  wire                 read_i,
    input  wire [AddrWidth-1:0] read_addr_i,
    output wire [    Width-1:0] read_data_o
);

  generate
    if (Width < 1 || Depth < 2 || AddrWidth != $clog2(Depth)) begin : gen_reject
      ram_1r1w_parameters_need_Width_at_least_1_and_Depth_at_least_2 reject ();
    end
  endgenerate

  reg [Width-1:0] words[0:Depth-1];
  reg [Width-1:0] read_data_q;

  always @(posedge clk_i) begin
    if (write_i) begin
      words[write_addr_i] <= write_data_i;
    end
    if (read_i) begin
      read_data_q <= words[read_addr_i];
    end
  end

  assign read_data_o = read_data_q;

endmodule

`default_nettype wire
