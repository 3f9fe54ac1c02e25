// SPDX-License-Identifier: Apache-2.0
/// One column's weights for bit-parallel PEs: double buffer, the lanes of the present word, FP16 where the PE wants it.
/// The weights go with the word that came a cycle before, as the PEs register their words.
module weight_column #(
  parameter int unsigned GroupSize  = 64,
  parameter int unsigned WeightBits = 4,
  parameter int unsigned Lanes      = 4,
  parameter int unsigned Slices     = 1,
  parameter bit          ToFp16     = 1'b0,
  localparam int unsigned SliceSize = GroupSize / Slices,
  localparam int unsigned LaneBits  = ToFp16 ? 16 : WeightBits
) (
  input  logic clk_i,
  // Words of the rows
  input  anda_pkg::word_flags_t flags_i,
  // Weights of the column
  input  logic [Slices-1:0]                    load_i,
  input  logic [SliceSize-1:0][WeightBits-1:0] weights_i,
  input  logic                                 load_scale_i,
  input  anda_pkg::scale_t                     scale_i,
  input  logic                                 swap_i,
  // To the PEs
  output logic [Lanes-1:0][LaneBits-1:0] weights_o,
  output anda_pkg::scale_t               scale_o
);

  localparam int unsigned Words = (GroupSize + Lanes - 1) / Lanes;
  localparam int unsigned IndexBits = Words > 1 ? $clog2(Words) : 1;

  logic [GroupSize-1:0][WeightBits-1:0]         weights;
  logic [Words-1:0][Lanes-1:0][WeightBits-1:0]  words;
  logic [Lanes-1:0][WeightBits-1:0]             present;
  logic [IndexBits-1:0]                         index_q;

  weight_buffer #(.GroupSize(GroupSize), .WeightBits(WeightBits), .Slices(Slices)) i_weights (
    .clk_i, .load_i, .weights_i, .load_scale_i, .scale_i, .swap_i, .weights_o(weights), .scale_o
  );

  // The last word is filled up with zeros.
  assign words   = (Words * Lanes * WeightBits)'(weights);
  assign present = words[index_q];

  always_ff @(posedge clk_i) begin
    if (flags_i.valid) index_q <= flags_i.first ? '0 : index_q + 1'b1;
  end

  if (ToFp16) begin : gen_fp16
    for (genvar i = 0; i < Lanes; i++) begin : gen_lane
      logic [31:0] converted, scaled;
      int_to_fp32 #(.Width(WeightBits)) i_convert (.integer_i(present[i]), .fp32_o(converted));
      fp32_scale i_scale (.fp32_i(converted), .scale_i(scale_o), .unit_i('0), .fp32_o(scaled));
      fp32_to_fp16 i_round (.fp32_i(scaled), .fp16_o(weights_o[i]));
    end
  end else begin : gen_integer
    assign weights_o = present;
  end

  logic unused_flags;
  assign unused_flags = ^{flags_i.last, flags_i.opens, flags_i.closes};

endmodule
