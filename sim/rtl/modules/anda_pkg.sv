// SPDX-License-Identifier: Apache-2.0
/// Types that the units share.   Model: sim/mapping/nest.py (TileOp)
package anda_pkg;

  /// One output tile over a stretch of K, and what its first and last group do.
  typedef struct packed {
    logic [7:0]  rows;
    logic [7:0]  columns;
    logic [15:0] groups;
    logic        opens_tile;
    logic        closes_tile;
    logic        takes_activations;  // waits for a chunk of activations
    logic        run_opens;          // first tile of an output block
    logic        run_closes;         // last tile of an output block
  } op_t;

  /// A finished output tile.
  typedef struct packed {
    logic [7:0] rows;
    logic [7:0] columns;
    logic       run_opens;
    logic       run_closes;
  } tile_t;

  /// Where a word stands in its group, and the group in its tile.
  typedef struct packed {
    logic valid;
    logic first;   // first word of a group
    logic last;    // last word of a group
    logic opens;   // the group is the first of its tile
    logic closes;  // the group is the last of its tile
  } word_flags_t;

  /// A weight scale, widened: the upper 19 bits of a binary32 number, the others are 0.
  typedef logic [18:0] scale_t;

  /// Processing elements that an MXU can be made of.
  typedef enum logic [2:0] {
    Anda,
    Figna,
    Ifpu,
    FpInt,
    FpFp,
    Int8,
    Int8Int4
  } pe_kind_e;

  /// Whether activations are integers under a scale a token, and sums int32.
  function automatic bit is_integer(pe_kind_e kind);
    return kind == Int8 || kind == Int8Int4;
  endfunction

  /// Bits of the word that a row takes a cycle, and of what comes beside it: an exponent a group, or a scale a tile.
  function automatic int unsigned word_bits(
      pe_kind_e kind, int unsigned group_size, int unsigned lanes, int unsigned activation_bits);
    if (kind == Anda) return group_size;
    return lanes * (is_integer(kind) ? activation_bits : 16);
  endfunction

  function automatic int unsigned side_bits(pe_kind_e kind);
    return is_integer(kind) ? 16 : 5;
  endfunction

endpackage
