// SPDX-License-Identifier: Apache-2.0
/// Activation dispatcher: gathers the beats of a word of every row, and hands it on in the cycle of the last one.
/// For r rows a word takes ceil(r * WordBits / PortBits) beats; the first of a group not less than
/// ceil(r * SideBits / ExponentBits), as exponents, or the tokens' scales, come through a port of their own beside it.
/// Model: sim/units/activation_dispatcher.py; docs/microarchitecture.md
module activation_dispatcher #(
  parameter int unsigned Rows         = 16,
  parameter int unsigned WordBits     = 64,
  parameter int unsigned PortBits     = 1024,
  parameter int unsigned SideBits     = 5,
  parameter int unsigned ExponentBits = 80
) (
  input  logic clk_i,
  input  logic rst_ni,
  // Word wanted, and taken with its last beat
  input  logic       word_valid_i,
  output logic       word_ready_o,
  input  logic [7:0] word_rows_i,
  input  logic       word_first_i,  // opens a group or a tile: comes with what stands beside
  // Activation buffer
  input  logic                    beat_valid_i,
  output logic                    beat_ready_o,
  input  logic [PortBits-1:0]     beat_i,
  input  logic [ExponentBits-1:0] exponent_beat_i,
  // To the rows, while word_valid_i and word_ready_o
  output logic [Rows-1:0][WordBits-1:0] words_o,
  output logic [Rows-1:0][SideBits-1:0] exponents_o
);

  localparam int unsigned WordBeats     = (Rows * WordBits + PortBits - 1) / PortBits;
  localparam int unsigned ExponentBeats = (Rows * SideBits + ExponentBits - 1) / ExponentBits;
  localparam int unsigned MaxBeats      = WordBeats > ExponentBeats ? WordBeats : ExponentBeats;
  localparam int unsigned CountBits     = $clog2(MaxBeats + 1);

  logic [CountBits-1:0] beat_q, word_beats, exponent_beats, beats;
  logic                 beat_fires, last_beat;
  logic [WordBeats-1:0][PortBits-1:0]         words, words_q;
  logic [ExponentBeats-1:0][ExponentBits-1:0] exponents, exponents_q;

  assign word_beats     = CountBits'((32'(word_rows_i) * WordBits + PortBits - 1) / PortBits);
  assign exponent_beats = CountBits'((32'(word_rows_i) * SideBits + ExponentBits - 1) / ExponentBits);
  assign beats          = word_first_i && exponent_beats > word_beats ? exponent_beats : word_beats;
  assign last_beat      = beat_q + 1'b1 == beats;

  assign beat_ready_o = word_valid_i;
  assign beat_fires   = beat_valid_i && beat_ready_o;
  assign word_ready_o = beat_fires && last_beat;

  // The beat of this cycle counts in.
  always_comb begin
    words     = words_q;
    exponents = exponents_q;
    for (int unsigned i = 0; i < WordBeats; i++) if (beat_q == CountBits'(i)) words[i] = beat_i;
    for (int unsigned i = 0; i < ExponentBeats; i++) if (beat_q == CountBits'(i)) exponents[i] = exponent_beat_i;
  end

  assign words_o     = (Rows * WordBits)'(words);
  assign exponents_o = (Rows * SideBits)'(exponents);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)         beat_q <= '0;
    else if (beat_fires) beat_q <= last_beat ? '0 : beat_q + 1'b1;
  end

  // Beats that wait for the last one of their word.
  always_ff @(posedge clk_i) begin
    if (beat_fires && !last_beat) begin
      words_q     <= words;
      exponents_q <= exponents;
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    word_valid_i |-> word_rows_i != '0 && 32'(word_rows_i) <= Rows)
    else $error("a word without rows, or beyond them");
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    beat_valid_i && !beat_ready_o |=> beat_valid_i && $stable(beat_i))
    else $error("activations changed while they waited");
`endif

endmodule
