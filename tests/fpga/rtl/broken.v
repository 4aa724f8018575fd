// A syntax error, on line 5.

module broken (
    input wire clk_i,
    input wire [3:0 a_i
);
endmodule
