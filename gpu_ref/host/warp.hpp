// What a warp does together: lanes bring registers, the last to arrive computes for all by the PTX fragment maps.
#pragma once
#include "block.hpp"

namespace host {

template <class Work>
void warp_wide(const char* operation, const u32* in, int words, u32* out, Work work) {
  Warp& all = warp();
  memcpy(all.in[lane()], in, 4 * words);
  meet(all.meeting, 32, operation, [&] { work(all); });
  if (out) memcpy(out, all.out[lane()], 16);
}

inline float half_value(u16 bits) {
  static const std::vector<float> table = [] {
    std::vector<float> values(65536);
    for (int i = 0; i < 65536; ++i) { u16 code = i; _Float16 h; memcpy(&h, &code, 2); values[i] = (float)h; }
    return values;
  }();
  return table[bits];
}
inline u16 half_bits(double value) { _Float16 h = (_Float16)value; u16 code; memcpy(&code, &h, 2); return code; }

// FP8 E4M3: bias 7, no infinities, NaN where all seven bits are set.
inline float e4m3_value(u8 bits) {
  int exponent = bits >> 3 & 15, fraction = bits & 7;
  if ((bits & 127) == 127) return __builtin_nanf("");
  float magnitude = exponent ? __builtin_ldexpf(8 + fraction, exponent - 10) : __builtin_ldexpf(fraction, -9);
  return bits >> 7 ? -magnitude : magnitude;
}

// The values of one 32-bit word of an operand, lowest first. kCount of them, exact in `type`.
#define HOST_OPERAND(name, type, count, expression)                    \
  struct name {                                                        \
    using Value = type;                                                \
    static constexpr int kCount = count;                               \
    static Value value(u32 word, int i) { return expression; }         \
  };
HOST_OPERAND(F16, float, 2, half_value((u16)(word >> (16 * i))))
HOST_OPERAND(S8, int, 4, (int)(int8_t)(word >> (8 * i)))
HOST_OPERAND(U8, int, 4, (int)(u8)(word >> (8 * i)))
HOST_OPERAND(B1, int, 32, (int)(word >> i & 1))
HOST_OPERAND(E4M3, float, 4, e4m3_value((u8)(word >> (8 * i))))

// d[16 x 8] += a b: the last arriver unpacks both operands, then multiplies.
template <class A, class B, class Sum>
void multiply(const char* operation, Sum* d, const u32* a, const u32* b) {
  u32 in[10];
  memcpy(in, a, 16), memcpy(in + 4, b, 8), memcpy(in + 6, d, 16);
  warp_wide(operation, in, 10, (u32*)d, [](Warp& all) {
    constexpr int kDepth = 8 * A::kCount;
    static typename A::Value left[16][kDepth];
    static typename B::Value right[8][kDepth];
    for (int word = 0; word < 8; ++word)
      for (int i = 0; i < A::kCount; ++i) {
        int k = word * A::kCount + i, t = word % 4, upper = word / 4;
        for (int row = 0; row < 16; ++row) left[row][k] = A::value(all.in[row % 8 * 4 + t][row / 8 + 2 * upper], i);
        for (int column = 0; column < 8; ++column) right[column][k] = B::value(all.in[column * 4 + t][4 + upper], i);
      }
    for (int l = 0; l < 32; ++l)
      for (int i = 0; i < 4; ++i) {
        int row = l / 4 + 8 * (i / 2), column = 2 * (l % 4) + i % 2;
        Sum sum;
        memcpy(&sum, &all.in[l][6 + i], 4);
        for (int k = 0; k < kDepth; ++k) sum += left[row][k] * right[column][k];
        memcpy(&all.out[l][i], &sum, 4);
      }
  });
}

// A lane's row is read when that lane arrives: a lane that comes before the row is written gets what stood there.
inline void matrices(const char* operation, u32* v, const void* row, bool transposed) {
  if ((u64)row & 15) fail("%s: address not a multiple of 16", operation);
  u32 in[6];
  u64 address = (u64)row;
  memcpy(in, row, 16), memcpy(in + 4, &address, 8);
  warp_wide(operation, in, 6, v, [=](Warp& all) {
    for (int m = 0; m < 4; ++m) {
      u64 addresses[8];
      for (int i = 0; i < 8; ++i) memcpy(&addresses[i], &all.in[8 * m + i][4], 8);
      count_phase(kMatrices, addresses, 8);
      for (int l = 0; l < 32; ++l)
        for (int half = 0; half < 2; ++half) {
          int i = l / 4, j = 2 * (l % 4) + half;
          if (transposed) std::swap(i, j);
          memcpy((u16*)&all.out[l][m] + half, (u16*)all.in[8 * m + i] + j, 2);
        }
    }
  });
}

}  // namespace host

inline void multiply_f16(float* d, const u32* a, const u32* b) { host::multiply<host::F16, host::F16>("multiply_f16", d, a, b); }
inline void multiply_s8(int* d, const u32* a, const u32* b) { host::multiply<host::S8, host::S8>("multiply_s8", d, a, b); }
inline void multiply_u8s8(int* d, const u32* a, const u32* b) { host::multiply<host::U8, host::S8>("multiply_u8s8", d, a, b); }
inline void multiply_b1_and(int* d, const u32* a, const u32* b) { host::multiply<host::B1, host::B1>("multiply_b1_and", d, a, b); }
inline void multiply_e4m3(float* d, const u32* a, const u32* b) { host::multiply<host::E4M3, host::E4M3>("multiply_e4m3", d, a, b); }

inline void load_matrices(u32* v, const void* row) { host::matrices("load_matrices", v, row, false); }
inline void load_matrices_transposed(u32* v, const void* row) { host::matrices("load_matrices_transposed", v, row, true); }

inline u32 shuffle_xor(u32 v, int lanes) {
  u32 out[4];
  host::warp_wide("shuffle_xor", &v, 1, out, [=](host::Warp& all) {
    for (int l = 0; l < 32; ++l) all.out[l][0] = all.in[l ^ lanes][0];
  });
  return out[0];
}
