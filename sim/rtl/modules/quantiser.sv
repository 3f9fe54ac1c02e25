// SPDX-License-Identifier: Apache-2.0
/// Quantiser: tokens of FP16 values in, integers under an FP16 scale a token out.
///
///     beats --> largest --> divider: scale, reciprocal        first pass
///     beats --> lanes: x reciprocal, round --> codes          second pass
///
/// A token of B = ceil(K / Lanes) beats comes twice from the buffer: first its largest magnitude is found, then the
/// divider works for 40 cycles, then each beat leaves as codes in the cycle in which it comes: 2 B + 40 cycles.
/// With L = 2^(Bits - 1) - 1 the scale is the smallest FP16 number with L scale >= the largest, 2^-24 for a token of
/// zeros; codes are x / scale to nearest, halves away from zero. With `Narrower` codes of 4 and 3 bits are made too, as
/// keys and values may be kept, and leave with their sign in all bits of a code.
/// Model: sim/units/quantiser.py, sim/formats/token_integer.py; docs/microarchitecture.md
module quantiser #(
  parameter int unsigned Lanes = 64,
  parameter int unsigned Bits  = 8,   // of a code
  parameter bit Narrower       = 1'b0
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic [3:0] code_bits_i,  // of the codes that are made; stable while a token is in hand
  // Tokens, each twice; lanes behind the last value are 0
  input  logic                   beat_valid_i,
  output logic                   beat_ready_o,
  input  logic [Lanes-1:0][15:0] beat_i,
  input  logic                   last_i,  // last beat of the token
  // Codes
  output logic                       codes_valid_o,
  input  logic                       codes_ready_i,
  output logic [Lanes-1:0][Bits-1:0] codes_o,
  output logic [15:0]                scale_o,
  output logic                       last_o
);

  typedef enum logic [1:0] {
    Largest,
    Divide,
    Codes
  } step_e;

  localparam int unsigned ScaleSteps      = 18;  // bits of the largest magnitude x 2^(Bits - 1), at most
  localparam int unsigned ReciprocalSteps = 21;
  localparam int unsigned DivideSteps     = ScaleSteps + 1 + ReciprocalSteps;
  localparam logic [11:0] LargestCode     = 12'((1 << (Bits - 1)) - 1);  // L

  step_e       step_q;
  logic [5:0]  divide_q;
  logic        beat_fires;
  logic [14:0] largest, largest_q;  // magnitude, as FP16 codes are ordered

  assign beat_ready_o  = step_q == Largest || (step_q == Codes && codes_ready_i);
  assign beat_fires    = beat_valid_i && beat_ready_o;
  assign codes_valid_o = step_q == Codes && beat_valid_i;
  assign last_o        = last_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      step_q   <= Largest;
      divide_q <= '0;
    end else begin
      unique case (step_q)
        Largest: if (beat_fires && last_i) step_q <= Divide;
        Divide: begin
          divide_q <= divide_q == 6'(DivideSteps - 1) ? '0 : divide_q + 6'd1;
          if (divide_q == 6'(DivideSteps - 1)) step_q <= Codes;
        end
        default: if (beat_fires && last_i) step_q <= Largest;
      endcase
    end
  end

  // First pass: the larger of two neighbours, then of two such pairs, and so on.
  logic [Lanes-1:0][14:0] larger;
  always_comb begin
    for (int unsigned i = 0; i < Lanes; i++) larger[i] = beat_i[i][14:0];
    for (int unsigned apart = 1; apart < Lanes; apart *= 2) begin
      for (int unsigned i = 0; i + apart < Lanes; i += 2 * apart) begin
        if (larger[i+apart] > larger[i]) larger[i] = larger[i+apart];
      end
    end
  end
  assign largest = larger[0];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) largest_q <= '0;
    else if (beat_fires && step_q == Largest && largest > largest_q) largest_q <= largest;
    else if (beat_fires && step_q == Codes && last_i) largest_q <= '0;
  end

  // The largest magnitude is X 2^(e - 25). Divider, first S = ceil(X 2^j / L), with j = bits - 1 as far as e allows,
  // then floor(2^30 / S): one bit a cycle, the remainder below the divisor.
  logic [4:0]  exponent, spare;
  logic [3:0]  raised;               // j
  logic [10:0] significand;          // X
  logic [17:0] dividend, dividend_q;  // bits to come
  logic [11:0] divisor, remainder_q;
  logic [12:0] trial;
  logic        fits;
  logic [20:0] quotient_q;
  logic [11:0] rounded, kept, normalised, divisor_q;
  logic [4:0]  power, power_q;       // S counts 2^(power - 24)
  logic [3:0]  zeros, zeros_q;       // before S's leading one
  logic [15:0] scale_q;

  assign exponent    = largest_q[14:10] == '0 ? 5'd1 : largest_q[14:10];
  assign significand = {largest_q[14:10] != '0, largest_q[9:0]};
  assign spare       = exponent - 5'd1;

  if (Narrower) begin : gen_narrower
    logic [3:0]  bits;
    logic [11:0] largest_code;
    assign bits         = code_bits_i < 4'(Bits) ? code_bits_i : 4'(Bits);
    assign largest_code = (12'd1 << (bits - 4'd1)) - 12'd1;
    assign raised       = spare < 5'(bits - 4'd1) ? spare[3:0] : bits - 4'd1;
    assign divisor      = divide_q < 6'(ScaleSteps) ? largest_code : divisor_q;
  end else begin : gen_wide
    logic unused;
    assign unused  = ^code_bits_i;
    assign raised  = spare < 5'(Bits - 1) ? spare[3:0] : 4'(Bits - 1);
    assign divisor = divide_q < 6'(ScaleSteps) ? LargestCode : divisor_q;
  end

  assign dividend = divide_q == '0 ? 18'(significand) << raised : dividend_q;
  assign trial   = {remainder_q, dividend[17]};
  assign fits    = trial >= 13'(divisor);

  // S of 12 bits that FP16 does not hold is halved, upwards.
  assign rounded = quotient_q[11:0] + 12'(remainder_q != '0);
  assign kept    = rounded > 12'd2048 ? 12'((13'(rounded) + 13'd1) >> 1) : rounded == '0 ? 12'd1 : rounded;
  assign power   = spare - 5'(raised) + 5'(rounded > 12'd2048);
  always_comb begin
    zeros = 4'd0;
    for (int unsigned i = 0; i < 11; i++) begin
      if (kept[i]) zeros = 4'(10 - i);
    end
  end
  assign normalised = kept[11] ? 12'd1024 : kept << zeros;

  always_ff @(posedge clk_i) begin
    if (step_q == Largest) begin
      remainder_q <= '0;
      quotient_q  <= '0;
    end else if (step_q == Divide && divide_q == 6'(ScaleSteps)) begin
      scale_q     <= {1'b0, 15'({power, 10'b0}) + 15'(kept)};
      divisor_q   <= normalised;
      power_q     <= power + 5'(kept[11]);
      zeros_q     <= zeros;
      remainder_q <= 12'd512;  // 2^30 over 21 steps
      quotient_q  <= '0;
    end else if (step_q == Divide) begin
      remainder_q <= fits ? 12'(trial - 13'(divisor)) : trial[11:0];
      quotient_q  <= {quotient_q[19:0], fits};
    end
    if (step_q == Divide) dividend_q <= dividend << 1;
  end

  assign scale_o = scale_q;

  logic [20:0] reciprocal;
  assign reciprocal = quotient_q + 21'd1;

  // Second pass: v = floor(2 |x| / scale) from the reciprocal, exact for every x and scale; code = (v + 1) / 2.
  for (genvar i = 0; i < Lanes; i++) begin : gen_lane
    logic [4:0]       own;
    logic [31:0]      product;
    logic signed [6:0] places;
    logic [7:0]       doubled;
    logic [Bits-1:0]  magnitude;
    assign own       = beat_i[i][14:10] == '0 ? 5'd1 : beat_i[i][14:10];
    assign product   = 32'({beat_i[i][14:10] != '0, beat_i[i][9:0]}) * 32'(reciprocal);
    assign places    = 7'sd30 - 7'(own) + 7'(power_q) - 7'(zeros_q);
    assign doubled   = 8'(places > 7'sd31 ? '0 : product >> places[4:0]);
    assign magnitude = Bits'((9'(doubled) + 9'd1) >> 1);
    assign codes_o[i] = beat_i[i][15] ? -magnitude : magnitude;
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    codes_valid_o && !codes_ready_i |=> codes_valid_o && $stable(codes_o))
    else $error("codes changed while they waited");
  assert property (@(posedge clk_i) disable iff (!rst_ni) codes_valid_o |-> scale_q != '0 && scale_q < 16'h7c00)
    else $error("a scale that is no positive FP16 number");
`endif

endmodule
