// SPDX-License-Identifier: Apache-2.0
/// Output collector: drains a finished tile from the output registers, row after row.
///
/// A tile of r rows takes ceil(r * Columns * 16 / PortBits) beats. The first tile of a run waits for a grant, which
/// stands for the gather registers of the sink. Columns and rows that the tile has not are zero.
/// Model: sim/units/collector.py; docs/microarchitecture.md
module collector import anda_pkg::*; #(
  parameter int unsigned Rows     = 16,
  parameter int unsigned Columns  = 16,
  parameter int unsigned PortBits = 1024
) (
  input  logic clk_i,
  input  logic rst_ni,
  // Finished tile; taken with its last beat
  input  logic                               tile_valid_i,
  output logic                               tile_ready_o,
  input  tile_t                              tile_i,
  input  logic [Rows-1:0][Columns-1:0][15:0] outputs_i,
  // Room in the sink for a run
  input  logic grant_valid_i,
  output logic grant_ready_o,
  // Outputs
  output logic                beat_valid_o,
  input  logic                beat_ready_i,
  output logic [PortBits-1:0] beat_o,
  output logic                last_o,      // last beat of a tile
  output logic                run_last_o,  // last beat of a run
  output logic [7:0]          rows_o
);

  localparam int unsigned Beats    = (Rows * Columns * 16 + PortBits - 1) / PortBits;
  localparam int unsigned BeatBits = $clog2(Beats + 1);

  logic                beat_fires, needs_grant, granted_q;
  logic [BeatBits-1:0] beat_q, beats;
  logic [Rows-1:0][Columns-1:0][15:0] present;
  logic [Beats-1:0][PortBits-1:0]     all_beats;

  always_comb begin
    for (int unsigned r = 0; r < Rows; r++) begin
      for (int unsigned c = 0; c < Columns; c++) begin
        present[r][c] = 8'(r) < tile_i.rows && 8'(c) < tile_i.columns ? outputs_i[r][c] : '0;
      end
    end
  end

  assign all_beats = (Beats * PortBits)'(present);
  assign beats     = BeatBits'((32'(tile_i.rows) * Columns * 16 + PortBits - 1) / PortBits);

  assign needs_grant   = tile_valid_i && tile_i.run_opens && !granted_q;
  assign grant_ready_o = needs_grant;
  assign beat_valid_o  = tile_valid_i && (!needs_grant || grant_valid_i);
  assign beat_fires    = beat_valid_o && beat_ready_i;
  assign beat_o        = all_beats[beat_q];
  assign last_o        = beat_q + 1'b1 == beats;
  assign run_last_o    = last_o && tile_i.run_closes;
  assign rows_o        = tile_i.rows;
  assign tile_ready_o  = beat_fires && last_o;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      beat_q    <= '0;
      granted_q <= 1'b0;
    end else begin
      if (beat_fires) beat_q <= last_o ? '0 : beat_q + 1'b1;
      if (tile_ready_o) granted_q <= 1'b0;
      else if (needs_grant && grant_valid_i) granted_q <= 1'b1;
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    beat_valid_o && !beat_ready_i |=> beat_valid_o && $stable(beat_o))
    else $error("outputs changed while they waited");
`endif

endmodule
