// SPDX-License-Identifier: Apache-2.0
/// Anda's bit-serial dot product: 64 weights, gated by one mantissa plane a cycle (Anda, Sec. IV-B, Fig. 11).
///
///     word --> sign latch | plane register --> AND, signs --> adder tree --> acc = (acc << 1) + sum
///     +0       +1                                                            +2
///
/// The first word of a group holds the signs and comes with the exponent, M planes follow, MSB first.
/// dot_valid_o two cycles after the last plane.
/// Model: sim/units/pe/anda.py; docs/microarchitecture.md
module anda_dot #(
  parameter int unsigned GroupSize  = 64,
  parameter int unsigned WeightBits = 4,
  localparam int unsigned DotBits   = 16 + WeightBits + $clog2(GroupSize)
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic [4:0] mantissa_bits_i,  // M; stable while a group is under way
  // Words of the row
  input  anda_pkg::word_flags_t flags_i,
  input  logic [GroupSize-1:0]  word_i,
  input  logic [4:0]            exponent_i,
  // The column's computing bank
  input  logic [GroupSize-1:0][WeightBits-1:0] weights_i,
  input  anda_pkg::scale_t                     scale_i,
  // Dot product of a group
  output anda_pkg::word_flags_t dot_flags_o,
  output logic [DotBits-1:0]    dot_o,
  output logic signed [7:0]     unit_o,
  output anda_pkg::scale_t      scale_o
);

  localparam int unsigned TermBits = WeightBits + 1;  // -8 becomes 8
  localparam int unsigned SumBits  = TermBits + $clog2(GroupSize);

  anda_pkg::word_flags_t flags_q;
  logic [GroupSize-1:0]  signs_q, plane_q;
  logic [4:0]            exponent_q;
  logic [SumBits-1:0]    sum;
  logic [DotBits-1:0]    dot_q;

  // Each weight as the sign has it where the plane's bit is set, else 0.
  always_comb begin
    sum = '0;
    for (int unsigned i = 0; i < GroupSize; i++) begin
      automatic logic [TermBits-1:0] weight = {weights_i[i][WeightBits-1], weights_i[i]};
      automatic logic [TermBits-1:0] term = plane_q[i] ? (signs_q[i] ? -weight : weight) : '0;
      sum += {{(SumBits - TermBits){term[TermBits-1]}}, term};
    end
  end

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
    if (flags_i.valid && flags_i.first) begin
      signs_q    <= word_i;
      exponent_q <= exponent_i;
    end
    if (flags_i.valid && !flags_i.first) plane_q <= word_i;
    if (flags_q.valid) dot_q <= flags_q.first ? '0 : (dot_q << 1) + {{(DotBits - SumBits){sum[SumBits-1]}}, sum};
    if (flags_q.valid && flags_q.last) begin
      scale_o <= scale_i;
      unit_o  <= 8'(exponent_q) - 8'd14 - 8'(mantissa_bits_i);
    end
  end

  assign dot_o = dot_q;

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni) flags_i.valid |-> mantissa_bits_i inside {[5'd1:5'd16]})
    else $error("M is 1 to 16");
  assert property (@(posedge clk_i) disable iff (!rst_ni) flags_i.valid |-> !(flags_i.first && flags_i.last))
    else $error("a group has a sign row and one plane at least");
`endif

endmodule
