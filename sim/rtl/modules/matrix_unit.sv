// SPDX-License-Identifier: Apache-2.0
/// The MXU with both dispatchers and the collector: from the buffers' ports to FP16 outputs.
///
///     operations, weights --> weight dispatcher -----+
///     activations ---------> activation dispatcher --+--> mxu --> collector --> outputs
module matrix_unit import anda_pkg::*; #(
  parameter pe_kind_e    Kind               = Anda,
  parameter int unsigned Rows               = 16,
  parameter int unsigned Columns            = 16,
  parameter int unsigned GroupSize          = 64,
  parameter int unsigned WeightBits         = 4,
  parameter int unsigned CodeBits           = 4,
  parameter int unsigned WeightPortBits     = 1024,
  parameter int unsigned ActivationPortBits = 1024,
  parameter int unsigned ExponentPortBits   = 80,
  parameter int unsigned CollectorPortBits  = 1024,
  parameter int unsigned Lanes              = 4,
  parameter int unsigned MantissaBits       = 13,
  parameter int unsigned ActivationBits     = 8,
  parameter int unsigned Registers          = 2
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic [4:0] mantissa_bits_i,
  input  logic [3:0] digits_i,
  input  logic [3:0] digit_bits_i,
  input  logic [7:0] scale_groups_i,  // integer PEs: groups under one scale of the weights; 0: all of a tile
  // Operations
  input  logic op_valid_i,
  output logic op_ready_o,
  input  op_t  op_i,
  // Weight buffer
  input  logic                              weight_valid_i,
  output logic                              weight_ready_o,
  input  logic [WeightPortBits/CodeBits-1:0][CodeBits-1:0] weight_codes_i,
  input  logic [Columns-1:0][15:0]          weight_scales_i,
  input  logic [Columns-1:0][CodeBits-1:0]  weight_zeros_i,
  // Activation buffer
  input  logic                          chunk_valid_i,
  output logic                          chunk_ready_o,
  input  logic                          activation_valid_i,
  output logic                          activation_ready_o,
  input  logic [ActivationPortBits-1:0] activation_i,
  input  logic [ExponentPortBits-1:0]   activation_exponents_i,
  // A group begins; a word is taken, by these PEs
  output logic                         group_starts_o,
  output logic                         word_fires_o,
  output logic [Rows-1:0][Columns-1:0] working_o,
  // Outputs
  input  logic                         grant_valid_i,
  output logic                         grant_ready_o,
  output logic                         output_valid_o,
  input  logic                         output_ready_i,
  output logic [CollectorPortBits-1:0] output_o,
  output logic                         output_last_o,
  output logic                         output_run_last_o,
  output logic [7:0]                   output_rows_o
);

  localparam int unsigned WordBits    = word_bits(Kind, GroupSize, Lanes, ActivationBits);
  localparam int unsigned SideBits    = side_bits(Kind);
  localparam int unsigned WeightCodes = WeightPortBits / CodeBits;
  localparam int unsigned Beats       = (Columns * GroupSize + WeightCodes - 1) / WeightCodes;
  localparam int unsigned BeatBits    = Beats > 1 ? $clog2(Beats) : 1;

  logic                                   load, load_scales, block_valid, block_ready, block_first, block_last;
  logic [BeatBits-1:0]                    load_beat;
  logic [WeightCodes-1:0][WeightBits-1:0] load_weights;
  scale_t [Columns-1:0]                   load_scales_data;
  op_t                                    block_op;
  logic                                   word_valid, word_ready, word_first, tile_valid, tile_ready;
  logic [7:0]                             word_rows;
  logic [Rows-1:0][WordBits-1:0]          words;
  logic [Rows-1:0][SideBits-1:0]          exponents;
  logic [3:0]                             block_shift;
  tile_t                                  tile;
  logic [Rows-1:0][Columns-1:0][15:0]     outputs;

  assign group_starts_o = block_valid && block_ready;

  weight_dispatcher #(
    .Columns(Columns), .GroupSize(GroupSize), .WeightBits(WeightBits), .CodeBits(CodeBits),
    .PortBits(WeightPortBits), .ShiftScales(!is_integer(Kind))
  ) i_weight_dispatcher (
    .clk_i, .rst_ni, .digits_i, .digit_bits_i, .op_valid_i, .op_ready_o, .op_i,
    .beat_valid_i(weight_valid_i), .beat_ready_o(weight_ready_o), .codes_i(weight_codes_i),
    .scales_i(weight_scales_i), .zeros_i(weight_zeros_i),
    .load_o(load), .load_beat_o(load_beat), .load_weights_o(load_weights),
    .load_scales_o(load_scales), .load_scales_data_o(load_scales_data),
    .block_valid_o(block_valid), .block_ready_i(block_ready), .block_op_o(block_op),
    .block_first_o(block_first), .block_last_o(block_last), .block_shift_o(block_shift)
  );

  activation_dispatcher #(
    .Rows(Rows), .WordBits(WordBits), .PortBits(ActivationPortBits), .SideBits(SideBits),
    .ExponentBits(ExponentPortBits)
  ) i_activation_dispatcher (
    .clk_i, .rst_ni, .word_valid_i(word_valid), .word_ready_o(word_ready), .word_rows_i(word_rows),
    .word_first_i(word_first), .beat_valid_i(activation_valid_i), .beat_ready_o(activation_ready_o),
    .beat_i(activation_i), .exponent_beat_i(activation_exponents_i), .words_o(words), .exponents_o(exponents)
  );

  mxu #(
    .Kind(Kind), .Rows(Rows), .Columns(Columns), .GroupSize(GroupSize), .WeightBits(WeightBits),
    .WeightCodes(WeightCodes), .Lanes(Lanes), .MantissaBits(MantissaBits),
    .ActivationBits(ActivationBits), .Registers(Registers)
  ) i_mxu (
    .clk_i, .rst_ni, .mantissa_bits_i, .digits_i, .scale_groups_i, .load_i(load), .load_beat_i(load_beat),
    .load_weights_i(load_weights),
    .load_scales_i(load_scales), .load_scales_data_i(load_scales_data),
    .block_valid_i(block_valid), .block_ready_o(block_ready), .block_op_i(block_op),
    .block_first_i(block_first), .block_last_i(block_last), .block_shift_i(block_shift), .chunk_valid_i, .chunk_ready_o,
    .word_valid_o(word_valid), .word_ready_i(word_ready), .word_rows_o(word_rows), .word_first_o(word_first),
    .words_i(words), .exponents_i(exponents), .word_fires_o, .working_o,
    .tile_valid_o(tile_valid), .tile_ready_i(tile_ready), .tile_o(tile), .outputs_o(outputs)
  );

  collector #(.Rows(Rows), .Columns(Columns), .PortBits(CollectorPortBits)) i_collector (
    .clk_i, .rst_ni, .tile_valid_i(tile_valid), .tile_ready_o(tile_ready), .tile_i(tile), .outputs_i(outputs),
    .grant_valid_i, .grant_ready_o, .beat_valid_o(output_valid_o), .beat_ready_i(output_ready_i), .beat_o(output_o),
    .last_o(output_last_o), .run_last_o(output_run_last_o), .rows_o(output_rows_o)
  );

endmodule
