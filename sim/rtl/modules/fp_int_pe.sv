// SPDX-License-Identifier: Apache-2.0
/// FP-INT PE: FP16 x INT4 multipliers, their products added exactly in fixed point, one rounding a group.
///
///     word --> significand x weight, shifted to units of 2^-24 --> + acc --> scale_accumulate
///     +0       +1                                                            +2
///
/// A group takes ceil(GroupSize / Lanes) words; mxu.pipeline_cycles is 5.
/// Model: sim/units/pe/fp_int.py; docs/microarchitecture.md
module fp_int_pe #(
  parameter int unsigned GroupSize  = 64,
  parameter int unsigned WeightBits = 4,
  parameter int unsigned Lanes      = 4,
  parameter int unsigned Registers  = 2,
  localparam int unsigned SetBits   = Registers > 1 ? $clog2(Registers) : 1
) (
  input  logic clk_i,
  input  logic rst_ni,
  // Words of the row: finite FP16 numbers
  input  anda_pkg::word_flags_t  flags_i,
  input  logic [Lanes-1:0][15:0] word_i,
  // The column's weights for the word that came a cycle before
  input  logic [Lanes-1:0][WeightBits-1:0] weights_i,
  input  anda_pkg::scale_t                 scale_i,
  // Output registers
  input  logic [SetBits-1:0] write_set_i,
  output logic               done_o,
  input  logic [SetBits-1:0] read_set_i,
  output logic [15:0]        output_o
);

  localparam int unsigned ProductBits = 12 + WeightBits;
  localparam int unsigned ShiftedBits = ProductBits + 29;  // FP16 exponents 1 to 30
  localparam int unsigned SumBits     = ShiftedBits + $clog2(Lanes);
  localparam int unsigned DotBits     = 40 + WeightBits + $clog2(GroupSize) + 1;

  logic [Lanes-1:0][15:0] word;
  logic [SumBits-1:0]     sum;
  anda_pkg::word_flags_t  dot_flags;
  logic [DotBits-1:0]     dot;
  logic [4:0]             exponent;
  anda_pkg::scale_t       dot_scale;

  always_comb begin
    sum = '0;
    for (int unsigned i = 0; i < Lanes; i++) begin
      automatic logic [4:0] field = word[i][14:10];
      automatic logic [4:0] shift = field == '0 ? 5'd0 : field - 5'd1;
      automatic logic [ProductBits-1:0] magnitude = ProductBits'(
          $signed({1'b0, field != '0, word[i][9:0]}) * $signed(weights_i[i]));
      automatic logic [ProductBits-1:0] product = word[i][15] ? -magnitude : magnitude;
      sum += {{(SumBits - ProductBits){product[ProductBits-1]}}, product} << shift;
    end
  end

  group_accumulate #(.WordBits(Lanes * 16), .SumBits(SumBits), .DotBits(DotBits)) i_front (
    .clk_i, .rst_ni, .flags_i, .word_i, .exponent_i('0), .word_o(word), .sum_i(sum), .scale_i,
    .dot_flags_o(dot_flags), .dot_o(dot), .exponent_o(exponent), .scale_o(dot_scale)
  );

  scale_accumulate #(.DotBits(DotBits), .Registers(Registers)) i_accumulate (
    .clk_i, .rst_ni,
    .valid_i(dot_flags.valid), .opens_i(dot_flags.opens), .closes_i(dot_flags.closes),
    .dot_i(dot), .unit_i(-8'sd24), .scale_i(dot_scale),
    .write_set_i, .done_o, .read_set_i, .output_o
  );

  logic unused_bits;
  assign unused_bits = ^{dot_flags.first, dot_flags.last, exponent};

endmodule
