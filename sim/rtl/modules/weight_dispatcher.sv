// SPDX-License-Identifier: Apache-2.0
/// Weight dispatcher: loads blocks of weights into the shadow registers of the PEs, and leads the MXU through its
/// operations.
///
/// A block of c columns takes ceil(c * GroupSize * CodeBits / PortBits) beats. They may flow while the shadow is empty,
/// from the cycle of the swap on; the block is offered in the cycle after the last. Weights wider than a PE takes come
/// in digits, a block for each, low ones first, and each counts digit_bits_i times two more than the one before.
/// Model: sim/units/weight_dispatcher.py; docs/microarchitecture.md
module weight_dispatcher import anda_pkg::*; #(
  parameter int unsigned Columns    = 16,
  parameter int unsigned GroupSize  = 64,
  parameter int unsigned WeightBits = 4,
  parameter int unsigned CodeBits   = 4,  // of a weight, or a digit of one, at the port
  parameter int unsigned PortBits   = 1024,
  parameter bit ShiftScales         = 1'b1,  // else the PEs shift their sums
  localparam int unsigned Codes     = PortBits / CodeBits,
  localparam int unsigned Beats     = (Columns * GroupSize * CodeBits + PortBits - 1) / PortBits,
  localparam int unsigned BeatBits  = Beats > 1 ? $clog2(Beats) : 1
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic [3:0] digits_i,      // of a weight; stable while at work
  input  logic [3:0] digit_bits_i,  // by which a digit stands above the one before
  // Operations; taken with their last beat
  input  logic op_valid_i,
  output logic op_ready_o,
  input  op_t  op_i,
  // Weight buffer: unsigned codes; scales and zero points with the first beat of a block
  input  logic                     beat_valid_i,
  output logic                     beat_ready_o,
  input  logic [Codes-1:0][CodeBits-1:0]   codes_i,
  input  logic [Columns-1:0][15:0]         scales_i,
  input  logic [Columns-1:0][CodeBits-1:0] zeros_i,
  // Shadow registers
  output logic                             load_o,
  output logic [BeatBits-1:0]              load_beat_o,
  output logic [Codes-1:0][WeightBits-1:0] load_weights_o,
  output logic                             load_scales_o,
  output scale_t [Columns-1:0]             load_scales_data_o,
  // Full shadow, taken by the swap
  output logic block_valid_o,
  input  logic block_ready_i,
  output op_t  block_op_o,
  output logic block_first_o,  // first block of its operation
  output logic block_last_o,
  output logic [3:0] block_shift_o  // what its digit counts
);

  localparam int unsigned ColumnCodes = GroupSize < Codes ? GroupSize : Codes;  // of one column in a beat
  localparam int unsigned BeatColumns = Codes / ColumnCodes;                    // columns in a beat
  localparam int unsigned ColumnBeats = GroupSize / ColumnCodes;                // beats of a column

  logic                full_q;
  op_t                 op_q;
  logic                first_q, last_q;
  logic [3:0]          block_shift_q;
  logic [BeatBits-1:0] beat_q;
  logic [15:0]         group_q;  // blocks of the operation already loaded
  logic                beat_fires, last_beat, last_group;
  logic [BeatBits:0]   beats;
  logic [3:0]          digit_q, shift_q;  // of the block that comes: digits before it, bits that they hold
  logic                last_digit;
  logic [BeatColumns-1:0][CodeBits-1:0] zeros;

  assign beats      = (BeatBits + 1)'((32'(op_i.columns) * ColumnBeats + BeatColumns - 1) / BeatColumns);
  assign last_beat  = {1'b0, beat_q} + 1'b1 == beats;
  assign last_group = group_q + 1'b1 == op_i.groups;
  assign last_digit = digit_q + 4'd1 == digits_i;

  assign beat_ready_o = op_valid_i && (!full_q || block_ready_i);
  assign beat_fires   = beat_valid_i && beat_ready_o;
  assign op_ready_o   = beat_fires && last_beat && last_group;

  assign block_valid_o = full_q;
  assign block_op_o    = op_q;
  assign block_first_o = first_q;
  assign block_last_o  = last_q;
  assign block_shift_o = block_shift_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      full_q  <= 1'b0;
      beat_q  <= '0;
      group_q <= '0;
      digit_q <= '0;
      shift_q <= '0;
    end else begin
      if (block_ready_i) full_q <= 1'b0;
      if (beat_fires) begin
        beat_q <= last_beat ? '0 : beat_q + 1'b1;
        if (last_beat) begin
          full_q  <= 1'b1;
          group_q <= last_group ? '0 : group_q + 1'b1;
          digit_q <= last_digit ? '0 : digit_q + 4'd1;
          shift_q <= last_digit ? '0 : shift_q + digit_bits_i;
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (beat_fires && last_beat) begin
      op_q    <= op_i;
      first_q <= group_q == '0;
      last_q  <= last_group;
      block_shift_q <= shift_q;
    end
  end

  // Codes to signed weights, with the zero points of the columns in this beat.
  if (WeightBits == CodeBits) begin : gen_symmetric
    for (genvar i = 0; i < Codes; i++) begin : gen_code
      assign load_weights_o[i] = codes_i[i] ^ (CodeBits'(1) << (CodeBits - 1));
    end
    logic unused_zeros;
    assign zeros        = '0;
    assign unused_zeros = ^{zeros_i, zeros};
  end else begin : gen_zero_points
    logic [Columns-1:0][CodeBits-1:0] zeros_q, all_zeros;
    always_ff @(posedge clk_i) begin
      if (beat_fires && beat_q == '0) zeros_q <= zeros_i;
    end
    assign all_zeros = beat_q == '0 ? zeros_i : zeros_q;
    for (genvar c = 0; c < BeatColumns; c++) begin : gen_zero
      assign zeros[c] = all_zeros[32'(beat_q) * BeatColumns / ColumnBeats + c];
    end
    for (genvar i = 0; i < Codes; i++) begin : gen_code
      assign load_weights_o[i] = WeightBits'(codes_i[i]) - WeightBits'(zeros[i/ColumnCodes]);
    end
  end

  for (genvar c = 0; c < Columns; c++) begin : gen_scale
    scale_t widened;
    fp16_to_scale i_widen (.fp16_i(scales_i[c]), .scale_o(widened));
    assign load_scales_data_o[c] = {
        widened[18], widened[17:10] == '0 ? 8'd0 : widened[17:10] + (ShiftScales ? 8'(shift_q) : 8'd0), widened[9:0]
    };
  end

  assign load_o        = beat_fires;
  assign load_beat_o   = beat_q;
  assign load_scales_o = beat_fires && beat_q == '0;

`ifndef SYNTHESIS
  if (PortBits % CodeBits != 0) begin : gen_refuse_codes
    $error("beats must hold whole codes");
  end
  if (GroupSize % ColumnCodes != 0 || Codes % ColumnCodes != 0 || Columns % BeatColumns != 0) begin : gen_refuse
    $error("beats must hold whole columns, or columns whole beats");
  end
  assert property (@(posedge clk_i) disable iff (!rst_ni) op_ready_o |-> last_digit)
    else $error("an operation ends between the digits of a weight");
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    op_valid_i |-> op_i.groups != '0 && op_i.columns != '0 && 32'(op_i.columns) <= Columns)
    else $error("an operation without work, or beyond the columns");
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    beat_valid_i && !beat_ready_o |=> beat_valid_i && $stable(codes_i))
    else $error("weights changed while they waited");
`endif

endmodule
