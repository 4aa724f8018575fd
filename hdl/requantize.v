// An int32 sum to an 8-bit output, bit for bit as TensorFlow Lite and the C kernels round:
//
//     x = sum + bias, times 2^shift (wrapping) if shift > 0
//     x = (x * multiplier + 2^30) >> 31              saturating rounding doubling high multiply
//     x = x / 2^-shift, ties away from zero          if shift < 0
//     y = clamp(x + zero point, min, max)            without overflow
//
// The high multiply cannot saturate, as multipliers are not negative. Seven cycles while enable_i
// is set; everything holds while it is not. Zero point and clamp are constants of a layer, each
// -128..255; data_o is int8 or uint8 as they say.

`default_nettype none

module requantize (
    input  wire               clk_i,
    input  wire               rst_i,
    input  wire               enable_i,
    input  wire               valid_i,
    input  wire signed [31:0] sum_i,
    input  wire signed [31:0] bias_i,
    input  wire        [30:0] multiplier_i,
    input  wire signed [ 5:0] shift_i,       // -31..30
    input  wire signed [ 8:0] zero_point_i,
    input  wire signed [ 8:0] clamp_min_i,
    input  wire signed [ 8:0] clamp_max_i,
    output wire               valid_o,
    output wire        [ 7:0] data_o
);

  localparam integer Latency = 7;

  reg [Latency-1:0] valid_q;

  always @(posedge clk_i) begin
    if (rst_i) begin
      valid_q <= {Latency{1'b0}};
    end else if (enable_i) begin
      valid_q <= {valid_q[Latency-2:0], valid_i};
    end
  end

  // 1: bias, and the shift's two directions.
  reg signed [31:0] biased_q;
  reg [4:0] left1_q;
  reg [4:0] right1_q;
  reg [30:0] multiplier1_q;

  // 2: left shift.
  reg signed [31:0] shifted_q;
  reg [4:0] right2_q;
  reg [30:0] multiplier2_q;

  // 3: partial products.
  reg signed [48:0] product_low_q;
  reg signed [47:0] product_high_q;
  reg [4:0] right3_q;
  wire signed [16:0] multiplier_low;
  wire signed [15:0] multiplier_high;

  assign multiplier_low  = $signed({1'b0, multiplier2_q[15:0]});
  assign multiplier_high = $signed({1'b0, multiplier2_q[30:16]});

  // 4: high half, rounded; 2^30 enters as 2^14 above the bits that the high product lacks.
  reg signed [31:0] high_q;
  reg [4:0] right4_q;
  wire signed [47:0] product;

  assign product = product_high_q + {{15{product_low_q[48]}}, product_low_q[48:16]} + 48'sd16384;

  // 5: right shift, keeping a half bit and a sticky bit.
  reg [33:0] scaled_q;
  wire [33:0] scaled_d;

  shift_right_sticky #(
      .Width (34),
      .Levels(5)
  ) u_shift (
      .fill_i  (high_q[31]),
      .bits_i  ({high_q, 2'b00}),
      .amount_i(right4_q),
      .bits_o  (scaled_d)
  );

  // 6: round, ties away from zero.
  reg signed [31:0] rounded_q;
  wire up;

  assign up = scaled_q[1] && (!scaled_q[33] || scaled_q[0]);

  // 7: clamp ahead of the zero point, which then cannot overflow.
  reg [7:0] data_q;
  wire signed [9:0] low;
  wire signed [9:0] high;
  wire signed [9:0] clamped;

  assign low = {clamp_min_i[8], clamp_min_i} - {zero_point_i[8], zero_point_i};
  assign high = {clamp_max_i[8], clamp_max_i} - {zero_point_i[8], zero_point_i};
  assign clamped = (rounded_q < $signed({{22{low[9]}}, low})) ? low
                 : (rounded_q > $signed({{22{high[9]}}, high})) ? high
                 : rounded_q[9:0];

  always @(posedge clk_i) begin
    if (enable_i) begin
      biased_q       <= sum_i + bias_i;
      left1_q        <= shift_i[5] ? 5'd0 : shift_i[4:0];
      right1_q       <= shift_i[5] ? -shift_i[4:0] : 5'd0;
      multiplier1_q  <= multiplier_i;

      shifted_q      <= biased_q << left1_q;
      right2_q       <= right1_q;
      multiplier2_q  <= multiplier1_q;

      product_low_q  <= shifted_q * multiplier_low;
      product_high_q <= shifted_q * multiplier_high;
      right3_q       <= right2_q;

      high_q         <= product[46:15];
      right4_q       <= right3_q;

      scaled_q       <= scaled_d;

      rounded_q      <= $signed(scaled_q[33:2]) + {31'd0, up};

      data_q         <= clamped[7:0] + zero_point_i[7:0];
    end
  end

  assign valid_o = valid_q[Latency-1];
  assign data_o  = data_q;

endmodule

`default_nettype wire
