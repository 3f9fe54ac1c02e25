// SPDX-License-Identifier: Apache-2.0
/// Back end of an integer PE: int32 sums, each times its weights' scale, added up, a tile's total times the token's.
///
///     sum --> binary32 --> x scale --> + accumulator --> x token's scale --> FP16 output registers
///     +0      +1           +2          +3                +4                  +5
///
/// One multiplier serves both scales, the token's two cycles after the last weights': sums are three cycles apart.
/// Model: sim/formats/contract.py, mxu.pipeline_cycles; docs/microarchitecture.md
module token_accumulate #(
  parameter int unsigned Registers = 2,  // output registers
  localparam int unsigned SetBits  = Registers > 1 ? $clog2(Registers) : 1
) (
  input  logic clk_i,
  input  logic rst_ni,
  // Sums of values under one scale of the weights
  input  logic             valid_i,
  input  logic             opens_i,   // first sum of a tile
  input  logic             closes_i,  // last sum of a tile
  input  logic [31:0]      sum_i,
  input  anda_pkg::scale_t scale_i,
  input  logic [15:0]      token_scale_i,  // FP16, with a tile's last sum
  // Output registers
  input  logic [SetBits-1:0] write_set_i,  // where the tile that closes next goes
  output logic               done_o,       // in this cycle a tile is written
  input  logic [SetBits-1:0] read_set_i,
  output logic [15:0]        output_o
);

  logic [3:0]       valid_q, closes_q;  // by stage, +1 the lowest
  logic [1:0]       opens_q;
  logic             total_done;         // the accumulator holds a tile's total
  logic [31:0]      converted, converted_q, factor, term, term_q, base, sum, accumulator_q;
  logic [15:0]      token_scale_q, rounded;
  anda_pkg::scale_t scale_q, token_scale, scale;
  logic [Registers-1:0][15:0] output_q;

  int_to_fp32 #(.Width(32)) i_convert (.integer_i(sum_i), .fp32_o(converted));
  fp16_to_scale i_widen (.fp16_i(token_scale_q), .scale_o(token_scale));
  fp32_scale i_scale (.fp32_i(factor), .scale_i(scale), .unit_i('0), .fp32_o(term));
  fp32_add i_add (.a_i(base), .b_i(term_q), .sum_o(sum));
  fp32_to_fp16 i_round (.fp32_i(term_q), .fp16_o(rounded));

  assign total_done = valid_q[2] && closes_q[2];
  assign factor     = total_done ? accumulator_q : converted_q;
  assign scale      = total_done ? token_scale : scale_q;
  assign base       = opens_q[1] ? '0 : accumulator_q;
  assign done_o     = valid_q[3] && closes_q[3];
  assign output_o   = output_q[read_set_i];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else         valid_q <= {valid_q[2:0], valid_i};
  end

  always_ff @(posedge clk_i) begin
    opens_q  <= {opens_q[0], opens_i};
    closes_q <= {closes_q[2:0], closes_i};
    if (valid_i) begin
      converted_q <= converted;
      scale_q     <= scale_i;
    end
    if (valid_i && closes_i) token_scale_q <= token_scale_i;
    if (valid_q[0] || total_done) term_q <= term;
    if (valid_q[1]) accumulator_q <= sum;
    if (done_o) output_q[write_set_i] <= rounded;
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni) !(valid_q[0] && total_done))
    else $error("a sum and a total want the multiplier at once: sums less than three cycles apart");
`endif

endmodule
