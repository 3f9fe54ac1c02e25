// SPDX-License-Identifier: Apache-2.0
/// Anda's data path from the buffers' ports to encoded rows: the MXU with its dispatchers and collector, and the BPC.
module anda_core import anda_pkg::*; #(
  parameter int unsigned Rows               = 16,
  parameter int unsigned Columns            = 16,
  parameter int unsigned GroupSize          = 64,
  parameter int unsigned WeightBits         = 4,
  parameter int unsigned CodeBits           = 4,
  parameter int unsigned WeightPortBits     = 1024,
  parameter int unsigned ActivationPortBits = 1024,
  parameter int unsigned ExponentPortBits   = 80,
  parameter int unsigned CollectorPortBits  = 1024,
  parameter int unsigned BpcLanes           = 16,
  parameter int unsigned Registers          = 2
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic [4:0] mantissa_bits_i,         // M of the activations
  input  logic [3:0] digits_i,                // of a weight
  input  logic [3:0] digit_bits_i,            // by which a digit stands above the one before
  input  logic [7:0] scale_groups_i,          // for integer PEs only
  input  logic [4:0] output_mantissa_bits_i,  // M of the encoded output
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
  // A group begins; a word is taken, by these PEs; outputs leave the collector; the gather registers are handed over
  output logic                         group_starts_o,
  output logic                         word_fires_o,
  output logic [Rows-1:0][Columns-1:0] working_o,
  output logic                         output_fires_o,
  output logic [CollectorPortBits-1:0] output_o,
  output logic                         handover_o,
  // Slots of the writer
  input  logic slot_valid_i,
  output logic slot_ready_o,
  // Encoded rows
  output logic                               row_valid_o,
  input  logic                               row_ready_i,
  output logic [BpcLanes-1:0][GroupSize-1:0] row_o,
  output logic [BpcLanes-1:0][4:0]           row_exponents_o,
  output logic                               sign_row_o
);

  logic       grant_valid, grant_ready, output_valid, output_ready, output_last, output_run_last;
  logic [7:0] output_rows;

  assign output_fires_o = output_valid && output_ready;

  matrix_unit #(
    .Kind(Anda), .Rows(Rows), .Columns(Columns), .GroupSize(GroupSize), .WeightBits(WeightBits),
    .CodeBits(CodeBits), .WeightPortBits(WeightPortBits), .ActivationPortBits(ActivationPortBits),
    .ExponentPortBits(ExponentPortBits), .CollectorPortBits(CollectorPortBits), .Registers(Registers)
  ) i_matrix_unit (
    .clk_i, .rst_ni, .mantissa_bits_i, .digits_i, .digit_bits_i, .scale_groups_i, .op_valid_i, .op_ready_o, .op_i,
    .weight_valid_i, .weight_ready_o, .weight_codes_i, .weight_scales_i, .weight_zeros_i,
    .chunk_valid_i, .chunk_ready_o, .activation_valid_i, .activation_ready_o, .activation_i, .activation_exponents_i,
    .group_starts_o, .word_fires_o, .working_o, .grant_valid_i(grant_valid), .grant_ready_o(grant_ready),
    .output_valid_o(output_valid), .output_ready_i(output_ready), .output_o,
    .output_last_o(output_last), .output_run_last_o(output_run_last), .output_rows_o(output_rows)
  );

  bpc #(
    .Rows(Rows), .Columns(Columns), .GroupSize(GroupSize), .Lanes(BpcLanes), .PortBits(CollectorPortBits)
  ) i_bpc (
    .clk_i, .rst_ni, .mantissa_bits_i(output_mantissa_bits_i), .grant_valid_o(grant_valid),
    .grant_ready_i(grant_ready), .beat_valid_i(output_valid), .beat_ready_o(output_ready), .beat_i(output_o),
    .last_i(output_last), .run_last_i(output_run_last), .rows_i(output_rows), .slot_valid_i, .slot_ready_o,
    .row_valid_o, .row_ready_i, .row_o, .exponent_o(row_exponents_o), .sign_row_o, .handover_o
  );

endmodule
