// SPDX-License-Identifier: Apache-2.0
/// Fills up the codes of one column's group of which only the most significant planes were read, on its way to PEs.
///
/// In place of s unread planes stands a one or a zero: codes become 2 code + one, of one bit more than was read, under
/// the scale times 2^(s - 1). Of the zero point e = zero mod 2^(s - 1) is cut off; of 2^s weights along K the first 2 e
/// + 1 have a zero, so that the mean error is none. With all planes read, everything passes as it is.
/// Between the port and the shadow registers; no cycle.   Model: IntegerTensor.planes in sim/formats/integer.py
module plane_fill #(
  parameter int unsigned GroupSize = 64
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic       column_valid_i,
  output logic       column_ready_o,
  input  logic [2:0] unread_i,  // s: planes that are stored and were not read
  input  logic [2:0] block_i,   // where along K the group stands, in blocks of 16 weights
  input  logic [GroupSize-1:0][7:0] codes_i,  // of the planes read
  input  logic [7:0]        zero_i,  // as it is stored
  input  anda_pkg::scale_t  scale_i,
  output logic       filled_valid_o,
  input  logic       filled_ready_i,
  output logic [GroupSize-1:0][7:0] filled_o,
  output logic [7:0]        filled_zero_o,
  output anda_pkg::scale_t  filled_scale_o
);

  logic       fills;
  logic [2:0] raised;  // s - 1
  logic [6:0] period;  // 2^s - 1
  logic [5:0] cut;     // e

  assign fills  = unread_i != '0;
  assign raised = fills ? unread_i - 3'd1 : '0;
  assign period = 7'((8'd1 << unread_i) - 8'd1);
  assign cut    = zero_i[5:0] & period[6:1];

  for (genvar i = 0; i < GroupSize; i++) begin : gen_weight
    logic [6:0] place;
    logic       one;
    assign place = {block_i + 3'(i / 16), 4'(i)} & period;
    assign one   = place > {cut, 1'b0};
    assign filled_o[i] = fills ? {codes_i[i][6:0], one} : codes_i[i];
  end

  assign filled_zero_o  = zero_i >> raised;
  assign filled_scale_o = {scale_i[18], scale_i[17:10] == '0 ? 8'd0 : scale_i[17:10] + 8'(raised), scale_i[9:0]};

  assign filled_valid_o = column_valid_i;
  assign column_ready_o = filled_ready_i;

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    column_valid_i && !column_ready_o |=> column_valid_i && $stable(codes_i))
    else $error("codes changed while they waited");
`else
  logic unused_clock;
  assign unused_clock = ^{clk_i, rst_ni};
`endif

endmodule
