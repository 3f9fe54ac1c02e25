// SPDX-License-Identifier: Apache-2.0
/// Anda processing unit: weight double buffer, bit-serial dot product, FP accumulator (Anda, Sec. IV-B, Fig. 11).
///
///     words --> anda_dot --> scale_accumulate --> output registers
///                  ^
///     shadow --> weights
///
/// A group takes M + 1 words; an output stands in its register PIPELINE = 6 cycles after the cycle of its tile's last
/// plane, so mxu.pipeline_cycles, counted from the end of that cycle, is 5.
/// Model: sim/units/pe/anda.py; docs/microarchitecture.md
module anda_apu #(
  parameter int unsigned GroupSize  = 64,
  parameter int unsigned WeightBits = 4,
  parameter int unsigned Slices     = 1,
  parameter int unsigned Registers  = 2,
  localparam int unsigned SliceSize = GroupSize / Slices,
  localparam int unsigned SetBits   = Registers > 1 ? $clog2(Registers) : 1
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic [4:0] mantissa_bits_i,
  // Words of the row
  input  anda_pkg::word_flags_t flags_i,
  input  logic [GroupSize-1:0]  word_i,
  input  logic [4:0]            exponent_i,
  // Weights of the column
  input  logic [Slices-1:0]                    load_i,
  input  logic [SliceSize-1:0][WeightBits-1:0] weights_i,
  input  logic                                 load_scale_i,
  input  anda_pkg::scale_t                     scale_i,
  input  logic                                 swap_i,
  // Output registers
  input  logic [SetBits-1:0] write_set_i,
  output logic               done_o,
  input  logic [SetBits-1:0] read_set_i,
  output logic [15:0]        output_o
);

  localparam int unsigned DotBits = 16 + WeightBits + $clog2(GroupSize);

  logic [GroupSize-1:0][WeightBits-1:0] weights;
  anda_pkg::scale_t                     scale, dot_scale;
  anda_pkg::word_flags_t                dot_flags;
  logic [DotBits-1:0]                   dot;
  logic signed [7:0]                    unit;

  weight_buffer #(.GroupSize(GroupSize), .WeightBits(WeightBits), .Slices(Slices)) i_weights (
    .clk_i, .load_i, .weights_i, .load_scale_i, .scale_i, .swap_i, .weights_o(weights), .scale_o(scale)
  );

  anda_dot #(.GroupSize(GroupSize), .WeightBits(WeightBits)) i_dot (
    .clk_i, .rst_ni, .mantissa_bits_i, .flags_i, .word_i, .exponent_i, .weights_i(weights), .scale_i(scale),
    .dot_flags_o(dot_flags), .dot_o(dot), .unit_o(unit), .scale_o(dot_scale)
  );

  scale_accumulate #(.DotBits(DotBits), .Registers(Registers)) i_accumulate (
    .clk_i, .rst_ni,
    .valid_i(dot_flags.valid), .opens_i(dot_flags.opens), .closes_i(dot_flags.closes),
    .dot_i(dot), .unit_i(unit), .scale_i(dot_scale),
    .write_set_i, .done_o, .read_set_i, .output_o
  );

  logic unused_flags;
  assign unused_flags = ^{dot_flags.first, dot_flags.last};

endmodule
