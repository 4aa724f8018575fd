// y_o = a_i * b_i in IEEE 754 binary32, round to nearest even, six cycles later, one a cycle.
// Subnormals are exact in and out. Every NaN result is the canonical quiet one, 0x7fc00000.

`default_nettype none

module mul_f32 (
    input  wire        clk_i,
    input  wire [31:0] a_i,
    input  wire [31:0] b_i,
    output wire [31:0] y_o
);

  // Stage 1: unpack. A subnormal has exponent 1 and no hidden bit.
  reg  [23:0] a_sig_q, b_sig_q;
  reg  signed [9:0] exp1_q;  // of the product, were its leading bit 46
  reg               sign1_q, nan1_q, inf1_q;

  wire a_sub, b_sub, a_top, b_top, a_inf, b_inf, a_nan, b_nan, a_zero, b_zero;
  assign a_sub  = a_i[30:23] == 8'd0;
  assign b_sub  = b_i[30:23] == 8'd0;
  assign a_top  = a_i[30:23] == 8'd255;
  assign b_top  = b_i[30:23] == 8'd255;
  assign a_inf  = a_top && a_i[22:0] == 23'd0;
  assign b_inf  = b_top && b_i[22:0] == 23'd0;
  assign a_nan  = a_top && a_i[22:0] != 23'd0;
  assign b_nan  = b_top && b_i[22:0] != 23'd0;
  assign a_zero = a_i[30:0] == 31'd0;
  assign b_zero = b_i[30:0] == 31'd0;

  always @(posedge clk_i) begin
    a_sig_q <= {!a_sub, a_i[22:0]};
    b_sig_q <= {!b_sub, b_i[22:0]};
    exp1_q  <= $signed({2'b00, a_i[30:24], a_i[23] || a_sub})
             + $signed({2'b00, b_i[30:24], b_i[23] || b_sub}) - 10'sd127;
    sign1_q <= a_i[31] ^ b_i[31];
    nan1_q  <= a_nan || b_nan || (a_inf && b_zero) || (a_zero && b_inf);
    inf1_q  <= a_inf || b_inf;
  end

  // Stage 2: multiply.
  reg [47:0] product2_q;
  reg signed [9:0] exp2_q;
  reg sign2_q, nan2_q, inf2_q;

  always @(posedge clk_i) begin
    product2_q <= a_sig_q * b_sig_q;
    exp2_q     <= exp1_q;
    sign2_q    <= sign1_q;
    nan2_q     <= nan1_q;
    inf2_q     <= inf1_q;
  end

  // Stage 3: how far to shift so that bit 47 leads, or stands for exponent 1 in a subnormal.
  reg [47:0] product3_q;
  reg [8:0] exp3_q;
  reg [5:0] left3_q;
  reg [4:0] right3_q;
  reg sign3_q, nan3_q, inf3_q;

  wire [5:0] zeros;
  wire       no_bit;
  wire signed [9:0] exp_normal;
  wire signed [9:0] exp_negated;

  lzc #(
      .Levels(6)
  ) u_lzc (
      .bits_i ({product2_q, 16'd0}),
      .count_o(zeros),
      .zero_o (no_bit)
  );

  assign exp_normal  = exp2_q + 10'sd1 - $signed({4'd0, zeros});
  assign exp_negated = -exp2_q;

  always @(posedge clk_i) begin
    product3_q <= product2_q;
    sign3_q    <= sign2_q;
    nan3_q     <= nan2_q;
    inf3_q     <= inf2_q;
    right3_q   <= 5'd0;
    if (exp_normal > 10'sd0 || no_bit) begin
      exp3_q  <= exp_normal[8:0];
      left3_q <= zeros;
    end else begin
      exp3_q  <= 9'd1;
      left3_q <= (exp2_q > 10'sd0) ? exp2_q[5:0] : 6'd0;
      if (exp2_q < 10'sd0) begin
        // Beyond 26 places nothing is left but the sticky bit.
        right3_q <= (exp_negated > 10'sd31) ? 5'd31 : exp_negated[4:0];
      end
    end
  end

  // Stage 4: shift left.
  reg [47:0] product4_q;
  reg [8:0] exp4_q;
  reg [4:0] right4_q;
  reg sign4_q, nan4_q, inf4_q;

  always @(posedge clk_i) begin
    product4_q <= product3_q << left3_q;
    exp4_q     <= exp3_q;
    right4_q   <= right3_q;
    sign4_q    <= sign3_q;
    nan4_q     <= nan3_q;
    inf4_q     <= inf3_q;
  end

  // Stage 5: shift right, keep the fraction, a half bit and a sticky bit.
  reg [25:0] sig5_q;
  reg [8:0] exp5_q;
  reg sign5_q, nan5_q, inf5_q;
  wire [26:0] shifted;

  shift_right_sticky #(
      .Width (27),
      .Levels(5)
  ) u_shift (
      .fill_i  (1'b0),
      .bits_i  ({product4_q[47:22], |product4_q[21:0]}),
      .amount_i(right4_q),
      .bits_o  (shifted)
  );

  always @(posedge clk_i) begin
    sig5_q  <= {shifted[26:2], |shifted[1:0]};
    exp5_q  <= exp4_q;
    sign5_q <= sign4_q;
    nan5_q  <= nan4_q;
    inf5_q  <= inf4_q;
  end

  // Stage 6: round and pack.
  reg  [31:0] y_q;
  wire [31:0] y_d;

  round_f32 u_round (
      .sign_i(sign5_q),
      .exp_i (exp5_q),
      .sig_i (sig5_q),
      .nan_i (nan5_q),
      .inf_i (inf5_q),
      .y_o   (y_d)
  );

  always @(posedge clk_i) begin
    y_q <= y_d;
  end

  assign y_o = y_q;

endmodule

`default_nettype wire
