// SPDX-License-Identifier: Apache-2.0
/// Back end of a PE: from the exact integer dot product of a group to the FP16 outputs of a tile (Anda, Sec. IV-B).
///
///     dot --> binary32 --> x scale, 2^unit --> + accumulator --> FP16 output registers
///     +0      +1           +2                  +3                +4
///
/// A group may enter in every cycle.
/// Model: sim/formats/contract.py, mxu.pipeline_cycles; docs/microarchitecture.md
module scale_accumulate #(
  parameter int unsigned DotBits   = 32,
  parameter int unsigned Registers = 2,  // output registers
  localparam int unsigned SetBits  = Registers > 1 ? $clog2(Registers) : 1
) (
  input  logic clk_i,
  input  logic rst_ni,
  // Groups
  input  logic                valid_i,
  input  logic                opens_i,   // first group of a tile
  input  logic                closes_i,  // last group of a tile
  input  logic [DotBits-1:0]  dot_i,
  input  logic signed [7:0]   unit_i,    // the dot product counts in 2^unit
  input  anda_pkg::scale_t    scale_i,
  // Output registers
  input  logic [SetBits-1:0]  write_set_i,  // where the tile that closes next goes
  output logic                done_o,       // in this cycle a tile is written
  input  logic [SetBits-1:0]  read_set_i,
  output logic [15:0]         output_o
);

  logic [2:0]  valid_q, closes_q;  // by stage, +1 the lowest
  logic [1:0]  opens_q;
  logic [31:0] converted, converted_q, term, term_q, base, sum, accumulator_q;
  logic [15:0] rounded;
  logic signed [7:0]           unit_q;
  anda_pkg::scale_t            scale_q;
  logic [Registers-1:0][15:0]  output_q;

  int_to_fp32 #(.Width(DotBits)) i_convert (.integer_i(dot_i), .fp32_o(converted));
  fp32_scale i_scale (.fp32_i(converted_q), .scale_i(scale_q), .unit_i(unit_q), .fp32_o(term));
  fp32_add i_add (.a_i(base), .b_i(term_q), .sum_o(sum));
  fp32_to_fp16 i_round (.fp32_i(accumulator_q), .fp16_o(rounded));

  assign base     = opens_q[1] ? '0 : accumulator_q;
  assign done_o   = valid_q[2] && closes_q[2];
  assign output_o = output_q[read_set_i];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else         valid_q <= {valid_q[1:0], valid_i};
  end

  always_ff @(posedge clk_i) begin
    opens_q  <= {opens_q[0], opens_i};
    closes_q <= {closes_q[1:0], closes_i};
    if (valid_i) begin
      converted_q <= converted;
      unit_q      <= unit_i;
      scale_q     <= scale_i;
    end
    if (valid_q[0]) term_q <= term;
    if (valid_q[1]) accumulator_q <= sum;
    if (done_o) output_q[write_set_i] <= rounded;
  end

endmodule
