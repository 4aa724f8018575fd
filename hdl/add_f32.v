// y_o = a_i + b_i in IEEE 754 binary32, round to nearest even, five cycles later, one a cycle.
// Subnormals are exact in and out. Every NaN result is the canonical quiet one, 0x7fc00000.

`default_nettype none

module add_f32 (
    input  wire        clk_i,
    input  wire [31:0] a_i,
    input  wire [31:0] b_i,
    output wire [31:0] y_o
);

  // Stage 1: order by magnitude, x the larger; unpack. A subnormal has exponent 1, no hidden bit.
  reg [23:0] x_sig1_q, y_sig1_q;
  reg [7:0] exp1_q;
  reg [4:0] align1_q;
  reg sign1_q, subtract1_q, nan1_q, inf1_q;

  wire        swap;
  wire [31:0] x;
  wire [31:0] y;
  wire [ 7:0] x_exp;
  wire [ 7:0] y_exp;
  wire [ 7:0] distance;
  wire x_top, y_top, x_nan, y_nan;

  assign swap = b_i[30:0] > a_i[30:0];
  assign x = swap ? b_i : a_i;
  assign y = swap ? a_i : b_i;
  assign x_exp = {x[30:24], x[23] || x[30:23] == 8'd0};
  assign y_exp = {y[30:24], y[23] || y[30:23] == 8'd0};
  assign distance = x_exp - y_exp;
  assign x_top = x[30:23] == 8'd255;
  assign y_top = y[30:23] == 8'd255;
  assign x_nan = x_top && x[22:0] != 23'd0;
  assign y_nan = y_top && y[22:0] != 23'd0;

  always @(posedge clk_i) begin
    x_sig1_q    <= {x[30:23] != 8'd0, x[22:0]};
    y_sig1_q    <= {y[30:23] != 8'd0, y[22:0]};
    exp1_q      <= x_exp;
    // Beyond 26 places nothing is left but the sticky bit.
    align1_q    <= (distance > 8'd31) ? 5'd31 : distance[4:0];
    sign1_q     <= x[31];
    subtract1_q <= x[31] ^ y[31];
    nan1_q      <= x_nan || y_nan || (x_top && y_top && (x[31] ^ y[31]));
    inf1_q      <= x_top;
  end

  // Stage 2: align.
  reg [23:0] x_sig2_q;
  reg [26:0] y_sig2_q;
  reg [7:0] exp2_q;
  reg sign2_q, subtract2_q, nan2_q, inf2_q;
  wire [26:0] aligned;

  shift_right_sticky #(
      .Width (27),
      .Levels(5)
  ) u_align (
      .fill_i  (1'b0),
      .bits_i  ({y_sig1_q, 3'd0}),
      .amount_i(align1_q),
      .bits_o  (aligned)
  );

  always @(posedge clk_i) begin
    x_sig2_q    <= x_sig1_q;
    y_sig2_q    <= aligned;
    exp2_q      <= exp1_q;
    sign2_q     <= sign1_q;
    subtract2_q <= subtract1_q;
    nan2_q      <= nan1_q;
    inf2_q      <= inf1_q;
  end

  // Stage 3: add or subtract.
  reg [27:0] sum3_q;
  reg [7:0] exp3_q;
  reg sign3_q, subtract3_q, nan3_q, inf3_q;

  always @(posedge clk_i) begin
    sum3_q      <= {1'b0, x_sig2_q, 3'd0} + ({1'b0, y_sig2_q} ^ {28{subtract2_q}})
                 + {27'd0, subtract2_q};
    exp3_q      <= exp2_q;
    sign3_q     <= sign2_q;
    subtract3_q <= subtract2_q;
    nan3_q      <= nan2_q;
    inf3_q      <= inf2_q;
  end

  // Stage 4: normalize, to the left no further than exponent 1.
  reg [25:0] sig4_q;
  reg [8:0] exp4_q;
  reg sign4_q, nan4_q, inf4_q;

  wire [ 4:0] zeros;
  wire        none;
  wire [ 4:0] left;
  wire        exp_limits;
  wire [27:0] shifted;

  lzc #(
      .Levels(5)
  ) u_lzc (
      .bits_i ({sum3_q, 4'd0}),
      .count_o(zeros),
      .zero_o (none)
  );

  // Bit 27 stands for exponent exp3_q + 1.
  assign exp_limits = {3'd0, zeros} > exp3_q;
  assign left = exp_limits ? exp3_q[4:0] : zeros;
  assign shifted = sum3_q << left;

  always @(posedge clk_i) begin
    sig4_q  <= {shifted[27:3], |shifted[2:0]};
    exp4_q  <= {1'b0, exp3_q} + 9'd1 - {4'd0, left};
    // An exact difference of zero is +0; only equal signs keep theirs.
    sign4_q <= sign3_q && !(none && subtract3_q);
    nan4_q  <= nan3_q;
    inf4_q  <= inf3_q;
  end

  // Stage 5: round and pack.
  reg  [31:0] y_q;
  wire [31:0] y_d;

  round_f32 u_round (
      .sign_i(sign4_q),
      .exp_i (exp4_q),
      .sig_i (sig4_q),
      .nan_i (nan4_q),
      .inf_i (inf4_q),
      .y_o   (y_d)
  );

  always @(posedge clk_i) begin
    y_q <= y_d;
  end

  assign y_o = y_q;

endmodule

`default_nettype wire
