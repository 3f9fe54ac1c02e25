// SPDX-License-Identifier: Apache-2.0
/// Integer PE: INT8 or INT4 activations x INT8 or INT4 weights, a few a cycle, into an int32 sum of all values under
/// one scale of the weights; that counts in the scale, and at the end of a tile the sum of those in the token's.
///
///     word --> multipliers, adder tree --> << digit, + int32 --> token_accumulate
///     +0       +1                                                +2
///
/// A group takes ceil(GroupSize / Lanes) words, not less than three; weights in digits pass once for each.
/// mxu.pipeline_cycles is 6.
/// Model: sim/units/pe/int8.py, sim/units/pe/int8_int4.py; docs/microarchitecture.md
module integer_pe #(
  parameter int unsigned WeightBits     = 8,
  parameter int unsigned ActivationBits = 8,
  parameter int unsigned Lanes          = 4,
  parameter int unsigned Registers      = 2,
  localparam int unsigned SetBits       = Registers > 1 ? $clog2(Registers) : 1
) (
  input  logic clk_i,
  input  logic rst_ni,
  // Words of the row: two's complement; first and last of a sum, opens and closes of its tile
  input  anda_pkg::word_flags_t                flags_i,
  input  logic [Lanes-1:0][ActivationBits-1:0] word_i,
  input  logic [3:0]                           shift_i,        // of the weights' digit, 0 to 4
  input  logic [15:0]                          token_scale_i,  // FP16, with the first word of a tile
  // The column's weights for the word that came a cycle before
  input  logic [Lanes-1:0][WeightBits-1:0] weights_i,
  input  anda_pkg::scale_t                 scale_i,
  // Output registers
  input  logic [SetBits-1:0] write_set_i,
  output logic               done_o,
  input  logic [SetBits-1:0] read_set_i,
  output logic [15:0]        output_o
);

  localparam int unsigned ProductBits = ActivationBits + WeightBits;
  localparam int unsigned SumBits     = ProductBits + $clog2(Lanes) + 4;  // and the largest shift

  logic [Lanes-1:0][ActivationBits-1:0] word;
  logic [SumBits-1:0]                   sum;
  logic [3:0]                           shift_q;
  logic [15:0]                          token_scale_q, closing_scale_q;
  anda_pkg::word_flags_t                sum_flags;
  logic [31:0]                          total;
  logic [4:0]                           exponent;
  anda_pkg::scale_t                     sum_scale;

  always_comb begin
    sum = '0;
    for (int unsigned i = 0; i < Lanes; i++) begin
      automatic logic [ProductBits-1:0] product = ProductBits'($signed(word[i]) * $signed(weights_i[i]));
      sum += {{(SumBits - ProductBits){product[ProductBits-1]}}, product};
    end
    sum = sum << shift_q;
  end

  group_accumulate #(.WordBits(Lanes * ActivationBits), .SumBits(SumBits), .DotBits(32)) i_front (
    .clk_i, .rst_ni, .flags_i, .word_i, .exponent_i('0), .word_o(word), .sum_i(sum), .scale_i,
    .dot_flags_o(sum_flags), .dot_o(total), .exponent_o(exponent), .scale_o(sum_scale)
  );

  // The scale of a tile that closes steps aside: the next tile may bring its own in the next cycle.
  always_ff @(posedge clk_i) begin
    if (flags_i.valid) shift_q <= shift_i;
    if (flags_i.valid && flags_i.first && flags_i.opens) token_scale_q <= token_scale_i;
    if (flags_i.valid && flags_i.last && flags_i.closes) closing_scale_q <= token_scale_q;
  end

  token_accumulate #(.Registers(Registers)) i_accumulate (
    .clk_i, .rst_ni,
    .valid_i(sum_flags.valid), .opens_i(sum_flags.opens), .closes_i(sum_flags.closes),
    .sum_i(total), .scale_i(sum_scale), .token_scale_i(closing_scale_q),
    .write_set_i, .done_o, .read_set_i, .output_o
  );

  logic unused_bits;
  assign unused_bits = ^{sum_flags.first, sum_flags.last, exponent};

endmodule
