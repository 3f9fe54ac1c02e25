// SPDX-License-Identifier: Apache-2.0
/// iFPU PE: pre-aligned mantissas added and subtracted as four planes of +1 and -1 have it (iFPU, ICLR 2023).
///
///     w = sum_i 2^(i-1) b_i - 1/2,  b_i = +1 where bit i of w + 8 is set, else -1
///     2 sum_k m_k w_k = sum_i 2^i sum_k b_ik m_k - sum_k m_k         (even, so that its last bit is dropped)
///
/// All planes in one cycle. A group takes ceil(GroupSize / Lanes) words; mxu.pipeline_cycles is 5.
/// Model: sim/units/pe/ifpu.py, sim/formats/binary_code.py; docs/microarchitecture.md
module ifpu_pe #(
  parameter int unsigned GroupSize    = 64,
  parameter int unsigned WeightBits   = 4,
  parameter int unsigned MantissaBits = 13,
  parameter int unsigned Lanes        = 4,
  parameter int unsigned Registers    = 2,
  localparam int unsigned SetBits     = Registers > 1 ? $clog2(Registers) : 1
) (
  input  logic clk_i,
  input  logic rst_ni,
  // Words of the row: sign and mantissa in the low bits of a lane
  input  anda_pkg::word_flags_t  flags_i,
  input  logic [Lanes-1:0][15:0] word_i,
  input  logic [4:0]             exponent_i,  // with the first word of a group
  // The column's weights for the word that came a cycle before
  input  logic [Lanes-1:0][WeightBits-1:0] weights_i,
  input  anda_pkg::scale_t                 scale_i,
  // Output registers
  input  logic [SetBits-1:0] write_set_i,
  output logic               done_o,
  input  logic [SetBits-1:0] read_set_i,
  output logic [15:0]        output_o
);

  localparam int unsigned SumBits = MantissaBits + 1 + WeightBits + 1 + $clog2(Lanes);
  localparam int unsigned DotBits = MantissaBits + WeightBits + $clog2(GroupSize) + 2;

  logic [Lanes-1:0][15:0]             word;
  logic [Lanes-1:0][MantissaBits:0]   mantissas;  // two's complement
  logic [Lanes-1:0][WeightBits-1:0]   codes;
  logic [SumBits-1:0]                 sum;
  anda_pkg::word_flags_t              dot_flags;
  logic [DotBits-1:0]                 dot;
  logic [4:0]                         exponent;
  anda_pkg::scale_t                   dot_scale;

  always_comb begin
    for (int unsigned k = 0; k < Lanes; k++) begin
      automatic logic [MantissaBits:0] magnitude = {1'b0, word[k][MantissaBits-1:0]};
      mantissas[k] = word[k][MantissaBits] ? -magnitude : magnitude;
      codes[k]     = weights_i[k] ^ (WeightBits'(1) << (WeightBits - 1));
    end
  end

  always_comb begin
    sum = '0;
    for (int unsigned k = 0; k < Lanes; k++) begin
      automatic logic [SumBits-1:0] mantissa = {
        {(SumBits - MantissaBits - 1){mantissas[k][MantissaBits]}}, mantissas[k]
      };
      for (int unsigned i = 0; i < WeightBits; i++) begin
        sum += (codes[k][i] ? mantissa : -mantissa) << i;
      end
      sum -= mantissa;
    end
  end

  group_accumulate #(.WordBits(Lanes * 16), .SumBits(SumBits), .DotBits(DotBits)) i_front (
    .clk_i, .rst_ni, .flags_i, .word_i, .exponent_i, .word_o(word), .sum_i(sum), .scale_i,
    .dot_flags_o(dot_flags), .dot_o(dot), .exponent_o(exponent), .scale_o(dot_scale)
  );

  scale_accumulate #(.DotBits(DotBits - 1), .Registers(Registers)) i_accumulate (
    .clk_i, .rst_ni,
    .valid_i(dot_flags.valid), .opens_i(dot_flags.opens), .closes_i(dot_flags.closes),
    .dot_i(dot[DotBits-1:1]), .unit_i(8'(exponent) - 8'd14 - 8'(MantissaBits)), .scale_i(dot_scale),
    .write_set_i, .done_o, .read_set_i, .output_o
  );

  logic unused_bits;
  assign unused_bits = ^{dot_flags.first, dot_flags.last, word, dot[0]};

endmodule
