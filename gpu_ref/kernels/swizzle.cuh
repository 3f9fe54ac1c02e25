// A tile of 128-byte rows in shared memory, free of bank conflicts and readable by ldmatrix and by wgmma alike.
//
//   row r    [ chunk 0 ^ r%8 | chunk 1 ^ r%8 | ... | chunk 7 ^ r%8 ]     16 bytes a chunk, 8 rows = 1024 bytes = one atom
//
// A row holds 64 values of FP16, 128 of 8 bits or 1024 of 1 bit.
#pragma once
#include "tensor_core.cuh"

constexpr int kRowBytes = 128;
DEVICE int swizzled(int row, int chunk) { return row * kRowBytes + ((chunk ^ (row & 7)) << 4); }

// rows x 128 bytes from a matrix of `pitch` bytes a row, whose lower right corner is (`rows_left`, `bytes_left`) away: zeros beyond.
template <int kRows, int kThreads>
DEVICE void copy_tile_async(u8* tile, const u8* from, u64 pitch, int rows_left, int bytes_left, int thread) {
#pragma unroll 4  // more addresses at a time would not fit the registers
  for (int n = 0; n * kThreads < kRows * 8; ++n) {
    int i = n * kThreads + thread, row = i / 8, chunk = i % 8;
    if (kRows * 8 % kThreads && row >= kRows) break;
    bool valid = row < rows_left && chunk * 16 < bytes_left;
    copy16_async(tile + swizzled(row, chunk), valid ? from + row * pitch + chunk * 16 : from, valid);
  }
}

// Operand a of a warp's product: rows first .. first + 15, bytes 32 step .. 32 step + 31.
DEVICE void load_left(u32* a, const u8* tile, int first, int step, int lane) {
  load_matrices(a, tile + swizzled(first + lane % 16, 2 * step + lane / 16));
}
// Operand b of two products side by side: columns first .. first + 7 in b[0..1], first + 8 .. first + 15 in b[2..3].
DEVICE void load_right(u32* b, const u8* tile, int first, int step, int lane) {
  load_matrices(b, tile + swizzled(first + lane / 16 * 8 + lane % 8, 2 * step + lane / 8 % 2));
}

// What wgmma is told about such a tile: operand b, K along the rows, from byte 32 step on.
DEVICE u64 operand_descriptor(const u8* tile, int step) {
  u64 start = (shared_address(tile) + 32 * step) >> 4, stride = 8 * kRowBytes >> 4, swizzle_128 = 1;
  return start | (u64)1 << 16 | stride << 32 | swizzle_128 << 62;
}
