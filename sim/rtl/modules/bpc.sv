// SPDX-License-Identifier: Apache-2.0
/// Bit-plane compressor: runs of FP16 outputs in, Anda rows out (Anda, Sec. IV-C, Fig. 12).
///
///     beats --> gather registers --> lanes --> rows
///
/// The gather registers hold a run: Rows groups of GroupSize values, tile by tile. They hand it over in one cycle when
/// the lanes are empty and a slot of the writer is free, and gather on while the lanes emit. A run of g groups takes
/// 1 + ceil(g / Lanes) * (M + 1) cycles.
/// Model: sim/units/bpc.py; docs/microarchitecture.md
module bpc #(
  parameter int unsigned Rows      = 16,
  parameter int unsigned Columns   = 16,   // of a tile
  parameter int unsigned GroupSize = 64,
  parameter int unsigned Lanes     = 16,
  parameter int unsigned PortBits  = 1024
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic [4:0] mantissa_bits_i,  // M of the encoded output; stable while at work
  // Room for a run in the gather registers
  output logic grant_valid_o,
  input  logic grant_ready_i,
  // Outputs of the collector
  input  logic                beat_valid_i,
  output logic                beat_ready_o,
  input  logic [PortBits-1:0] beat_i,
  input  logic                last_i,      // last beat of a tile
  input  logic                run_last_i,  // last beat of a run
  input  logic [7:0]          rows_i,
  // Slots of the writer
  input  logic slot_valid_i,
  output logic slot_ready_o,
  // Rows of all lanes
  output logic                            row_valid_o,
  input  logic                            row_ready_i,
  output logic [Lanes-1:0][GroupSize-1:0] row_o,
  output logic [Lanes-1:0][4:0]           exponent_o,
  output logic                            sign_row_o,
  // In this cycle the gather registers are handed over
  output logic handover_o
);

  localparam int unsigned Tiles      = GroupSize / Columns;
  localparam int unsigned TileBits   = Tiles > 1 ? $clog2(Tiles) : 1;
  localparam int unsigned Values     = PortBits / 16;
  localparam int unsigned Beats      = (Rows * Columns + Values - 1) / Values;
  localparam int unsigned BeatBits   = Beats > 1 ? $clog2(Beats) : 1;
  localparam int unsigned Passes     = (Rows + Lanes - 1) / Lanes;

  // Gather registers
  logic                                   taken_q, full_q;
  logic [7:0]                             rows_q;
  logic [TileBits-1:0]                    tile_q;
  logic [BeatBits-1:0]                    beat_q;
  logic [Passes*Lanes-1:0][GroupSize-1:0][15:0] gather_q;
  logic                                   beat_fires, handover;
  // Lanes
  logic [7:0]                             left_q;  // groups not yet emitted
  logic [4:0]                             row_q;   // row 0: signs
  logic                                   row_fires, pass_ends, reload;
  logic [Lanes-1:0][GroupSize-1:0][15:0]  next_groups;

  assign grant_valid_o = !taken_q;
  assign beat_ready_o  = !full_q;
  assign beat_fires    = beat_valid_i && beat_ready_o;
  assign handover      = full_q && left_q == '0 && slot_valid_i;
  assign slot_ready_o  = full_q && left_q == '0;
  assign handover_o    = handover;

  assign row_valid_o = left_q != '0;
  assign sign_row_o  = row_q == '0;
  assign row_fires   = row_valid_o && row_ready_i;
  assign pass_ends   = row_fires && row_q == mantissa_bits_i;
  assign reload      = pass_ends && left_q > 8'(Lanes);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      taken_q <= 1'b0;
      full_q  <= 1'b0;
      tile_q  <= '0;
      beat_q  <= '0;
      left_q  <= '0;
      row_q   <= '0;
    end else begin
      if (handover) {taken_q, full_q} <= 2'b00;
      else if (grant_ready_i) taken_q <= 1'b1;
      if (beat_fires) begin
        beat_q <= last_i ? '0 : beat_q + 1'b1;
        if (last_i) tile_q <= run_last_i ? '0 : tile_q + 1'b1;
        if (run_last_i) full_q <= 1'b1;
      end
      if (handover) left_q <= rows_q;
      else if (pass_ends) left_q <= reload ? left_q - 8'(Lanes) : '0;
      if (row_fires) row_q <= pass_ends ? '0 : row_q + 1'b1;
    end
  end

  // What a run does not fill stays zero.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      gather_q <= '0;
    end else if (handover) begin
      gather_q <= '0;
    end else if (beat_fires) begin
      for (int unsigned t = 0; t < Tiles; t++) begin
        for (int unsigned i = 0; i < Rows * Columns; i++) begin
          if (tile_q == TileBits'(t) && beat_q == BeatBits'(i / Values)) begin
            gather_q[i/Columns][t*Columns+i%Columns] <= beat_i[(i%Values)*16+:16];
          end
        end
      end
    end
  end
  always_ff @(posedge clk_i) if (beat_fires) rows_q <= rows_i;

  // Groups beyond the first pass wait behind the lanes.
  if (Passes > 1) begin : gen_passes
    logic [(Passes-1)*Lanes-1:0][GroupSize-1:0][15:0] waiting_q;
    always_ff @(posedge clk_i) begin
      if (handover) waiting_q <= gather_q[Passes*Lanes-1:Lanes];
      else if (reload) waiting_q <= waiting_q >> (Lanes * GroupSize * 16);
    end
    assign next_groups = handover ? gather_q[Lanes-1:0] : waiting_q[Lanes-1:0];
  end else begin : gen_one_pass
    assign next_groups = gather_q;
  end

  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    bpc_lane #(.GroupSize(GroupSize)) i_lane (
      .clk_i, .load_i(handover || reload), .group_i(next_groups[l]), .sign_row_i(sign_row_o), .step_i(row_fires),
      .row_o(row_o[l]), .exponent_o(exponent_o[l])
    );
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni) beat_fires |-> taken_q || grant_ready_i)
    else $error("a beat without a grant");
  assert property (@(posedge clk_i) disable iff (!rst_ni) row_valid_o |-> mantissa_bits_i inside {[5'd1:5'd16]})
    else $error("M is 1 to 16");
  assert property (@(posedge clk_i) disable iff (!rst_ni) row_valid_o && !row_ready_i |=> row_valid_o && $stable(row_o))
    else $error("a row changed while it waited");
`endif

endmodule
