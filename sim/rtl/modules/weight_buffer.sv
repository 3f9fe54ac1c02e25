// SPDX-License-Identifier: Apache-2.0
/// Double buffer for one column's weights of a group: the shadow fills slice by slice while the other bank computes.
/// A swap takes the shadow as it stands before the clock edge, so that loading may begin in the cycle of the swap.
module weight_buffer #(
  parameter int unsigned GroupSize  = 64,
  parameter int unsigned WeightBits = 4,
  parameter int unsigned Slices     = 1,  // beats that a column takes
  localparam int unsigned SliceSize = GroupSize / Slices
) (
  input  logic clk_i,
  // Shadow
  input  logic [Slices-1:0]                   load_i,  // which slice takes the weights
  input  logic [SliceSize-1:0][WeightBits-1:0] weights_i,
  input  logic                                load_scale_i,
  input  anda_pkg::scale_t                    scale_i,
  input  logic                                swap_i,
  // Computing bank
  output logic [GroupSize-1:0][WeightBits-1:0] weights_o,
  output anda_pkg::scale_t                    scale_o
);

  logic [GroupSize-1:0][WeightBits-1:0] shadow_q;
  anda_pkg::scale_t                     shadow_scale_q;

  always_ff @(posedge clk_i) begin
    for (int unsigned s = 0; s < Slices; s++) begin
      if (load_i[s]) shadow_q[s*SliceSize+:SliceSize] <= weights_i;
    end
    if (load_scale_i) shadow_scale_q <= scale_i;
    if (swap_i) begin
      weights_o <= shadow_q;
      scale_o   <= shadow_scale_q;
    end
  end

endmodule
