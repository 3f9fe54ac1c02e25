// Random content of timing buffers, made where it lies: valid for every kernel, never zeros (fills.py). From sm_80.
//
//   KIND 0  any bits        1  E4M3 without NaN             2  exponents 1 .. 30
//        3  FP16 scales, 2^-8 to 2^-7     4  FP16, nearly normal: the sum of four uniform values     5  the same in FP32
//        6  as 4, eight columns of `columns` 20 times as large
//
// One thread a 32-bit word; grid (words / 256).
#include "tensor_core.cuh"

// A bijection of 32 bits with good mixing (lowbias32, Wellons 2018).
DEVICE u32 mixed(u32 x) {
  x = (x ^ x >> 16) * 0x7feb352du;
  x = (x ^ x >> 15) * 0x846ca68bu;
  return x ^ x >> 16;
}

// Mean 0, deviation 1.
DEVICE float nearly_normal(u32 bits) {
  int sum = (int)(bits & 255) + (int)(bits >> 8 & 255) + (int)(bits >> 16 & 255) + (int)(bits >> 24);
  return ((float)sum - 510.0f) * 0.0067658f;
}

DEVICE u32 half_at(u32 index, u32 bits, u32 columns) {
  u32 stride = columns < 8 ? 1 : columns / 8;
  float scale = KIND == 6 && index % columns % stride == 0 ? 20.0f : 1.0f;
  return float_to_half(nearly_normal(bits) * scale);
}

extern "C" __global__ void fill(u32* to, int words, int seed, int columns) {
  u32 i = blockIdx.x * 256 + threadIdx.x;
  if (i >= (u32)words) return;
  u32 bits = mixed(i * 2 + mixed(seed)), word = bits;
  if (KIND == 1) {
    for (int shift = 0; shift < 32; shift += 8)
      if ((bits >> shift & 127) == 127) word ^= 1u << shift;
  } else if (KIND == 2) {
    word = 0;
    for (int shift = 0; shift < 32; shift += 8) word |= (1 + (bits >> shift & 255) % 30) << shift;
  } else if (KIND == 3) {
    word = (bits & 0x03ff03ff) | 0x1c001c00;
  } else if (KIND == 4 || KIND == 6) {
    word = half_at(2 * i, bits, columns) | half_at(2 * i + 1, mixed(bits), columns) << 16;
  } else if (KIND == 5) {
    word = __float_as_uint(nearly_normal(bits));
  }
  to[i] = word;
}
