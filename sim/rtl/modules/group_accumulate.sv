// SPDX-License-Identifier: Apache-2.0
/// Frame of the bit-parallel PEs: registers a word, and adds up what the PE makes of each into the group's dot product.
///
///     word --> word_o --> (PE's multipliers) --> sum_i --> dot_o
///     +0       +1                                          +2
module group_accumulate #(
  parameter int unsigned WordBits = 64,
  parameter int unsigned SumBits  = 20,
  parameter int unsigned DotBits  = 26
) (
  input  logic clk_i,
  input  logic rst_ni,
  // Words of the row
  input  anda_pkg::word_flags_t flags_i,
  input  logic [WordBits-1:0]   word_i,
  input  logic [4:0]            exponent_i,  // with the first word of a group
  // The PE's multipliers
  output logic [WordBits-1:0] word_o,
  input  logic [SumBits-1:0]  sum_i,
  input  anda_pkg::scale_t    scale_i,
  // Dot product of a group
  output anda_pkg::word_flags_t dot_flags_o,
  output logic [DotBits-1:0]    dot_o,
  output logic [4:0]            exponent_o,
  output anda_pkg::scale_t      scale_o
);

  anda_pkg::word_flags_t flags_q;
  logic [4:0]            exponent_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      flags_q     <= '0;
      dot_flags_o <= '0;
    end else begin
      flags_q           <= flags_i;
      dot_flags_o       <= flags_q;
      dot_flags_o.valid <= flags_q.valid && flags_q.last;
    end
  end

  always_ff @(posedge clk_i) begin
    if (flags_i.valid) word_o <= word_i;
    if (flags_i.valid && flags_i.first) exponent_q <= exponent_i;
    if (flags_q.valid) dot_o <= (flags_q.first ? '0 : dot_o) + {{(DotBits - SumBits){sum_i[SumBits-1]}}, sum_i};
    if (flags_q.valid && flags_q.last) begin
      exponent_o <= exponent_q;
      scale_o    <= scale_i;
    end
  end

endmodule
