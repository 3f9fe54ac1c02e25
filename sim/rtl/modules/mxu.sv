// SPDX-License-Identifier: Apache-2.0
/// Matrix unit: Rows x Columns PEs of one kind, output stationary (Anda, Sec. IV).
///
/// A group begins when the shadow weights are full and, for the first of an operation, when a chunk of activations is
/// there and an output register free. In that cycle the shadow is swapped and the first word may come. A tile that
/// closes does not stop the next one; its outputs stand in their registers when the PEs have written them.
/// Model: sim/units/mxu.py; docs/microarchitecture.md
module mxu import anda_pkg::*; #(
  parameter pe_kind_e    Kind         = Anda,
  parameter int unsigned Rows         = 16,
  parameter int unsigned Columns      = 16,
  parameter int unsigned GroupSize    = 64,
  parameter int unsigned WeightBits   = 4,
  parameter int unsigned WeightCodes  = 256,  // weights a beat
  parameter int unsigned Lanes        = 4,    // bit-parallel kinds
  parameter int unsigned MantissaBits = 13,   // Figna and Ifpu
  parameter int unsigned ActivationBits = 8,  // integer kinds
  parameter int unsigned Registers    = 2,
  localparam int unsigned WordBits    = word_bits(Kind, GroupSize, Lanes, ActivationBits),
  localparam int unsigned SideBits    = side_bits(Kind),
  localparam int unsigned Beats       = (Columns * GroupSize + WeightCodes - 1) / WeightCodes,
  localparam int unsigned BeatBits    = Beats > 1 ? $clog2(Beats) : 1
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic [4:0] mantissa_bits_i,  // M of Anda; stable while at work
  input  logic [3:0] digits_i,         // integer kinds: of a weight
  input  logic [7:0] scale_groups_i,   // integer kinds: groups under one scale of the weights; 0: all of a tile
  // Shadow weights
  input  logic                                   load_i,
  input  logic [BeatBits-1:0]                    load_beat_i,
  input  logic [WeightCodes-1:0][WeightBits-1:0] load_weights_i,
  input  logic                                   load_scales_i,
  input  scale_t [Columns-1:0]                   load_scales_data_i,
  input  logic                                   block_valid_i,
  output logic                                   block_ready_o,
  input  op_t                                    block_op_i,
  input  logic                                   block_first_i,
  input  logic                                   block_last_i,
  input  logic [3:0]                             block_shift_i,
  // Chunks of activations that have arrived
  input  logic chunk_valid_i,
  output logic chunk_ready_o,
  // Activation words
  output logic                          word_valid_o,
  input  logic                          word_ready_i,
  output logic [7:0]                    word_rows_o,
  output logic                          word_first_o,
  input  logic [Rows-1:0][WordBits-1:0] words_i,
  input  logic [Rows-1:0][SideBits-1:0] exponents_i,
  // PEs that take the present word; for probes
  output logic                         word_fires_o,
  output logic [Rows-1:0][Columns-1:0] working_o,
  // Finished tile; taken when it is drained
  output logic                               tile_valid_o,
  input  logic                               tile_ready_i,
  output tile_t                              tile_o,
  output logic [Rows-1:0][Columns-1:0][15:0] outputs_o
);

  localparam int unsigned ParallelWords = (GroupSize + Lanes - 1) / Lanes;
  localparam int unsigned SetBits       = Registers > 1 ? $clog2(Registers) : 1;
  localparam int unsigned CountBits     = $clog2(Registers + 1);
  localparam int unsigned SliceSize     = GroupSize < WeightCodes ? GroupSize : WeightCodes;
  localparam int unsigned Slices        = GroupSize / SliceSize;
  localparam int unsigned BeatColumns   = WeightCodes / SliceSize;

  // Groups
  logic       busy_q, starts, active, word_fires, opens_group, last_word, tile_begins;
  op_t        op_q, op;
  logic       first_group_q, last_group_q, first_group, last_group;
  logic [7:0] words, word_q;  // words of a group; words taken
  word_flags_t flags;
  // Tiles
  logic                 opens_tile, closes_tile, tile_written, tile_fires;
  logic [CountBits-1:0] free_q, written_q;
  logic [SetBits-1:0]   close_set_q, write_set_q, read_set_q;
  tile_t [Registers-1:0] tiles_q;
  logic [Rows-1:0][Columns-1:0] done;

  if (Kind == Anda) begin : gen_serial
    assign words = 8'(mantissa_bits_i) + 8'd1;
  end else begin : gen_parallel
    logic unused_mantissa_bits;
    assign unused_mantissa_bits = ^mantissa_bits_i;
    assign words = 8'(ParallelWords);
  end

  // Start of a group, word by word, end of a group
  assign starts = !busy_q && block_valid_i
                  && (!block_first_i || ((!block_op_i.takes_activations || chunk_valid_i)
                                         && (!block_op_i.opens_tile || free_q != '0)));
  assign active        = busy_q || starts;
  assign block_ready_o = starts;
  assign chunk_ready_o = starts && block_first_i && block_op_i.takes_activations;
  assign op            = starts ? block_op_i : op_q;
  assign first_group   = starts ? block_first_i : first_group_q;
  assign last_group    = starts ? block_last_i : last_group_q;

  assign word_valid_o = active;
  assign word_rows_o  = op.rows;
  assign word_fires   = active && word_ready_i;
  assign word_fires_o = word_fires;
  assign last_word    = word_q + 8'd1 == words;
  assign opens_group  = word_q == '0;
  assign tile_begins  = first_group && op.opens_tile;

  assign flags = '{
      valid:  word_fires,
      first:  opens_group,
      last:   last_word,
      opens:  tile_begins,
      closes: last_group && op.closes_tile
  };

  // Integer kinds: words of a sum, which is of all passes over groups under one scale of the weights.
  word_flags_t sum_flags;
  logic [3:0]  shift_q, shift;
  assign shift = starts ? block_shift_i : shift_q;
  always_ff @(posedge clk_i) shift_q <= shift;
  if (is_integer(Kind)) begin : gen_sums
    logic        first_sum, first_sum_q, first_pass, last_pass;
    logic [11:0] pass, pass_q;  // of the sum
    assign first_pass = flags.opens || pass_q == '0;
    assign pass       = flags.opens ? '0 : pass_q;
    assign last_pass  = flags.closes || (scale_groups_i != '0 && pass + 12'd1 == 12'(scale_groups_i) * 12'(digits_i));
    assign first_sum  = flags.opens || first_sum_q;
    assign sum_flags  = '{
        valid:  flags.valid,
        first:  flags.first && first_pass,
        last:   flags.last && last_pass,
        opens:  first_sum,
        closes: flags.closes
    };
    always_ff @(posedge clk_i) begin
      if (flags.valid && flags.last) begin
        pass_q      <= last_pass ? '0 : pass + 12'd1;
        first_sum_q <= first_sum && !last_pass;
      end
    end
    assign word_first_o = opens_group && tile_begins;  // the tokens' scales come once a tile
  end else begin : gen_groups
    logic unused_passes;
    assign unused_passes = ^{digits_i, scale_groups_i, shift, sum_flags};
    assign sum_flags     = flags;
    assign word_first_o  = opens_group;
  end

  // Tiles: a register is taken by the tile's first group and given back when it is drained.
  assign opens_tile   = starts && block_first_i && block_op_i.opens_tile;
  assign closes_tile  = flags.valid && flags.last && flags.closes;
  assign tile_written = done[0][0];
  assign tile_valid_o = written_q != '0;
  assign tile_o       = tiles_q[read_set_q];
  assign tile_fires   = tile_valid_o && tile_ready_i;

  function automatic logic [SetBits-1:0] next_set(logic [SetBits-1:0] set);
    return set == SetBits'(Registers - 1) ? '0 : set + 1'b1;
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q      <= 1'b0;
      word_q      <= '0;
      free_q      <= CountBits'(Registers);
      written_q   <= '0;
      close_set_q <= '0;
      write_set_q <= '0;
      read_set_q  <= '0;
    end else begin
      busy_q    <= active && !(word_fires && last_word);
      free_q    <= free_q - CountBits'(opens_tile) + CountBits'(tile_fires);
      written_q <= written_q + CountBits'(tile_written) - CountBits'(tile_fires);
      if (word_fires) word_q <= last_word ? '0 : word_q + 8'd1;
      if (closes_tile) close_set_q <= next_set(close_set_q);
      if (tile_written) write_set_q <= next_set(write_set_q);
      if (tile_fires) read_set_q <= next_set(read_set_q);
    end
  end

  always_ff @(posedge clk_i) begin
    op_q          <= op;
    first_group_q <= first_group;
    last_group_q  <= last_group;
    if (closes_tile) tiles_q[close_set_q] <= '{op.rows, op.columns, op.run_opens, op.run_closes};
  end

  // Ports that every kind of PE has, where it stands in row r and column c
`define PE_PORTS \
  .clk_i, .rst_ni, .flags_i(pe_flags), .word_i(words_i[r]), .write_set_i(write_set_q), .done_o(done[r][c]), \
  .read_set_i(read_set_q), .output_o(outputs_o[r][c])

  // The array: words along the rows, weights along the columns. PEs without a row or a column stand still.
  for (genvar c = 0; c < Columns; c++) begin : gen_column
    logic [Slices-1:0]                    load;
    logic [SliceSize-1:0][WeightBits-1:0] slice;
    for (genvar s = 0; s < Slices; s++) begin : gen_load
      assign load[s] = load_i && load_beat_i == BeatBits'((c * Slices + s) / BeatColumns);
    end
    assign slice = load_weights_i[(c%BeatColumns)*SliceSize+:SliceSize];

    word_flags_t column_flags;
    always_comb begin
      column_flags       = flags;
      column_flags.valid = flags.valid && op.columns > 8'(c);
    end

    if (Kind == Anda) begin : gen_apu
      for (genvar r = 0; r < Rows; r++) begin : gen_row
        word_flags_t pe_flags;
        always_comb begin
          pe_flags       = column_flags;
          pe_flags.valid = column_flags.valid && op.rows > 8'(r);
        end
        assign working_o[r][c] = pe_flags.valid;
        anda_apu #(.GroupSize(GroupSize), .WeightBits(WeightBits), .Slices(Slices), .Registers(Registers)) i_apu (
          `PE_PORTS, .exponent_i(exponents_i[r]), .mantissa_bits_i, .load_i(load), .weights_i(slice),
          .load_scale_i(load_scales_i), .scale_i(load_scales_data_i[c]), .swap_i(starts)
        );
      end
    end else begin : gen_parallel
      localparam int unsigned LaneBits = Kind == FpFp ? 16 : WeightBits;
      logic [Lanes-1:0][LaneBits-1:0] weights;
      scale_t                         scale;
      weight_column #(
        .GroupSize(GroupSize), .WeightBits(WeightBits), .Lanes(Lanes), .Slices(Slices), .ToFp16(Kind == FpFp)
      ) i_weights (
        .clk_i, .flags_i(column_flags), .load_i(load), .weights_i(slice), .load_scale_i(load_scales_i),
        .scale_i(load_scales_data_i[c]), .swap_i(starts), .weights_o(weights), .scale_o(scale)
      );
      for (genvar r = 0; r < Rows; r++) begin : gen_row
        word_flags_t pe_flags;
        always_comb begin
          pe_flags       = sum_flags;
          pe_flags.valid = column_flags.valid && op.rows > 8'(r);
        end
        assign working_o[r][c] = pe_flags.valid;
        if (is_integer(Kind)) begin : gen_integer
          integer_pe #(
            .WeightBits(WeightBits), .ActivationBits(ActivationBits), .Lanes(Lanes), .Registers(Registers)
          ) i_pe (
            `PE_PORTS, .shift_i(shift), .token_scale_i(exponents_i[r]), .weights_i(weights), .scale_i(scale)
          );
        end else if (Kind == Figna) begin : gen_figna
          figna_pe #(
            .GroupSize(GroupSize), .WeightBits(WeightBits), .MantissaBits(MantissaBits), .Lanes(Lanes),
            .Registers(Registers)
          ) i_pe (
            `PE_PORTS, .exponent_i(exponents_i[r]), .weights_i(weights), .scale_i(scale)
          );
        end else if (Kind == Ifpu) begin : gen_ifpu
          ifpu_pe #(
            .GroupSize(GroupSize), .WeightBits(WeightBits), .MantissaBits(MantissaBits), .Lanes(Lanes),
            .Registers(Registers)
          ) i_pe (
            `PE_PORTS, .exponent_i(exponents_i[r]), .weights_i(weights), .scale_i(scale)
          );
        end else if (Kind == FpInt) begin : gen_fp_int
          logic unused_exponent;
          assign unused_exponent = ^exponents_i[r];
          fp_int_pe #(
            .GroupSize(GroupSize), .WeightBits(WeightBits), .Lanes(Lanes), .Registers(Registers)
          ) i_pe (
            `PE_PORTS, .weights_i(weights), .scale_i(scale)
          );
        end else begin : gen_fp_fp
          logic unused_scale;
          assign unused_scale = ^{scale, exponents_i[r]};
          fp_fp_pe #(.Lanes(Lanes), .Registers(Registers)) i_pe (`PE_PORTS, .weights_i(weights));
        end
      end
    end
  end

`undef PE_PORTS

  logic unused_done;
  assign unused_done = ^done;

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni) 32'(written_q) <= Registers)
    else $error("more tiles written than there are registers");
  assert property (@(posedge clk_i) disable iff (!rst_ni) closes_tile |-> 32'(free_q) < Registers)
    else $error("a tile closes that never opened");
`endif

endmodule
