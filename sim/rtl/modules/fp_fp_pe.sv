// SPDX-License-Identifier: Apache-2.0
/// FP-FP PE: FP16 x FP16 products, exact in binary32, added to the accumulator one after the other in the order of k.
///
///     word --> products --> chain of adders, accumulator --> FP16 output registers
///     +0       +1           +2                               +3
///
/// A group takes ceil(GroupSize / Lanes) words; mxu.pipeline_cycles is 3.
/// Model: sim/units/pe/fp_fp.py; docs/microarchitecture.md
module fp_fp_pe #(
  parameter int unsigned Lanes     = 4,
  parameter int unsigned Registers = 2,
  localparam int unsigned SetBits  = Registers > 1 ? $clog2(Registers) : 1
) (
  input  logic clk_i,
  input  logic rst_ni,
  // Words of the row: finite FP16 numbers
  input  anda_pkg::word_flags_t  flags_i,
  input  logic [Lanes-1:0][15:0] word_i,
  // The column's weights for the word that came a cycle before
  input  logic [Lanes-1:0][15:0] weights_i,  // FP16
  // Output registers
  input  logic [SetBits-1:0] write_set_i,
  output logic               done_o,
  input  logic [SetBits-1:0] read_set_i,
  output logic [15:0]        output_o
);

  anda_pkg::word_flags_t      word_flags_q, product_flags_q;
  logic                       done_q;
  logic [Lanes-1:0][15:0]     word_q;
  logic [Lanes-1:0][31:0]     products, products_q;
  logic [Lanes:0][31:0]       chain;
  logic [31:0]                accumulator_q;
  logic [15:0]                rounded;
  logic [Registers-1:0][15:0] output_q;

  assign chain[0] = product_flags_q.opens && product_flags_q.first ? '0 : accumulator_q;
  for (genvar i = 0; i < Lanes; i++) begin : gen_lane
    fp16_multiply i_multiply (.a_i(word_q[i]), .b_i(weights_i[i]), .fp32_o(products[i]));
    fp32_add i_add (.a_i(chain[i]), .b_i(products_q[i]), .sum_o(chain[i+1]));
  end
  fp32_to_fp16 i_round (.fp32_i(accumulator_q), .fp16_o(rounded));

  assign done_o   = done_q;
  assign output_o = output_q[read_set_i];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      word_flags_q    <= '0;
      product_flags_q <= '0;
      done_q          <= 1'b0;
    end else begin
      word_flags_q    <= flags_i;
      product_flags_q <= word_flags_q;
      done_q          <= product_flags_q.valid && product_flags_q.last && product_flags_q.closes;
    end
  end

  always_ff @(posedge clk_i) begin
    if (flags_i.valid) word_q <= word_i;
    if (word_flags_q.valid) products_q <= products;
    if (product_flags_q.valid) accumulator_q <= chain[Lanes];
    if (done_q) output_q[write_set_i] <= rounded;
  end

endmodule
