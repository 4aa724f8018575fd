// Rounds to nearest even and packs a binary32. Combinational.
//
// sig_i: 24 bits of significand, a half bit and a sticky bit. Its leading bit is clear only in a
// subnormal (exp_i = 1) or a zero. exp_i is the biased exponent; 255 or more becomes infinity.

`default_nettype none

module round_f32 (
    input  wire        sign_i,
    input  wire [ 8:0] exp_i,
    input  wire [25:0] sig_i,
    input  wire        nan_i,
    input  wire        inf_i,
    output wire [31:0] y_o
);

  wire        normal;
  wire        up;
  wire        overflow;
  wire [ 7:0] exp_field;
  wire [30:0] magnitude;

  assign normal = sig_i[25];
  assign up = sig_i[1] && (sig_i[0] || sig_i[2]);
  assign overflow = normal && (exp_i >= 9'd255);
  assign exp_field = normal ? exp_i[7:0] : 8'd0;
  // A carry out of the fraction moves into the exponent, up to infinity, as it should.
  assign magnitude = {exp_field, sig_i[24:2]} + {30'd0, up};

  assign y_o = nan_i ? 32'h7fc00000
             : (inf_i || overflow) ? {sign_i, 31'h7f800000}
             : {sign_i, magnitude};

endmodule

`default_nettype wire
