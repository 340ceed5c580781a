/*
 * A template (see each_path.h): a dense layer in floats on a few rows. Weights are packed (dense.c), rows are
 * read where they lie, and columns that are zero in all rows of a tile are left out, which is most of a
 * picture's edge.
 *
 * Each output is one chain of multiply-adds in the order of the inputs, from the bias on, whatever tile it
 * falls in: its bits depend on its own row alone.
 */
#include "vector_template.h"

/* A tile's rows, the vectors of outputs that it sums at once, and those that a single row does: enough chains
   to hide an addition's latency. */
#if CK_REGISTERS == 32
#define ROWS 7
#define NV 4
#else
#define ROWS 6
#define NV 2
#endif
#define SINGLE (VL == 8 ? 8 : 4)
/* Outputs that all tiles of a task go through before the next ones. */
#define GROUP 64
/* Inputs to a step where all are looked at. */
#define UNROLL 4

#if !CK_IS_AVX512
/* Bit i is set if lane i is. */
CK_INLINE unsigned FN(lanes)(vi v) {
#if CK_IS_AVX2
  return (unsigned)_mm256_movemask_ps((__m256)v);
#elif defined(__SSE2__)
  return (unsigned)_mm_movemask_ps((__m128)v);
#else
  return (v[0] & 1u) | (v[1] & 2u) | (v[2] & 4u) | (v[3] & 8u);
#endif
}
#endif

/* Lists the inputs that are not zero in all rows; the list has room for a vector more. Returns how many. */
static size_t FN(list)(const float *x, size_t ldx, size_t rows, size_t inputs, uint16_t *list) {
  size_t count = 0;
  for (size_t i = 0; i < inputs; i += VL) {
    size_t left = inputs - i < VL ? inputs - i : VL;
    vi bits = (vi){};
    const float *p = x + i;
    for (size_t r = 0; r < rows; r++, p += ldx)
      bits |= (vi)(left == VL ? vload(p) : vload_part(p, left));
    /* But for the sign. */
    const vi size = (vi){} + INT32_MAX;
#if CK_IS_AVX512
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __mmask16 used = _mm512_test_epi32_mask((__m512i)bits, (__m512i)size);
    __m512i at = _mm512_maskz_compress_epi32(used, _mm512_add_epi32(lane, _mm512_set1_epi32((int)i)));
    _mm256_storeu_si256((__m256i *)(list + count), _mm512_cvtepi32_epi16(at));
    count += (size_t)__builtin_popcount(used);
#else
    unsigned used = FN(lanes)((bits & size) != 0);
    if (used == (1u << VL) - 1) {
      for (uint16_t l = 0; l < VL; l++)
        list[count + l] = (uint16_t)(i + l);
      count += VL;
      continue;
    }
    for (; used; used &= used - 1)
      list[count++] = (uint16_t)(i + (size_t)__builtin_ctz(used));
#endif
  }
  return count;
}

/* Applies the activation where the sums of a tile have just been stored. */
static __attribute__((noinline)) void FN(finish)(const dense_tile *tile, size_t first, size_t count) {
  float *y = tile->y + first;
  for (size_t r = 0; r < tile->rows; r++, y += tile->ldy)
    for (size_t j = 0; j < count; j += VL) {
      if (count - j >= VL)
        vstore(y + j, vactivate(tile->activation, vload(y + j)));
      else
        vstore_part(y + j, vactivate(tile->activation, vload_part(y + j, count - j)), count - j);
    }
}

/* `vectors` vectors of outputs from `first` on. rows and vectors are constants where this is inlined; a row
   that the tile lacks is its last one again. */
CK_INLINE void FN(multiply)(const size_t rows, const size_t vectors, const dense_tile *tile, size_t first) {
  const float *row[ROWS], *w[SINGLE];
  vf sum[ROWS][SINGLE];
  _Alignas(64) float sums[ROWS][SINGLE * VL];
  size_t count = tile->count < first ? 0 : tile->count - first;
  count = count < vectors * VL ? count : vectors * VL;
  float *y = tile->y + first;
#pragma clang loop unroll(full)
  for (size_t r = 0; r < rows; r++)
    row[r] = tile->x + (r < tile->rows ? r : tile->rows - 1) * tile->ldx;
#pragma clang loop unroll(full)
  for (size_t j = 0; j < vectors; j++) {
    size_t at = first + j * VL, block = at / DENSE_BLOCK * tile->stride + at % DENSE_BLOCK;
    w[j] = tile->weights + block;
    if (tile->bias)
#pragma clang loop unroll(full)
      for (size_t r = 0; r < rows; r++)
        sum[r][j] = vload(tile->bias + block);
  }
  if (!tile->bias) {
    for (size_t r = 0; r < rows; r++) {
      const float *from = y + (r < tile->rows ? r : tile->rows - 1) * tile->ldy;
      if (count == vectors * VL)
        memcpy(sums[r], from, vectors * VL * sizeof(float));
      else
        memcpy(sums[r], from, count * sizeof(float));
    }
#pragma clang loop unroll(full)
    for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
      for (size_t j = 0; j < vectors; j++)
        sum[r][j] = *(vf *)(sums[r] + j * VL);
  }
#define ADD_INPUT(column)                                                                                    \
  do {                                                                                                       \
    vf right[SINGLE];                                                                                        \
    _Pragma("clang loop unroll(full)") for (size_t j = 0; j < vectors; j++) right[j] =                       \
        vload(w[j] + (column) * DENSE_BLOCK);                                                                \
    _Pragma("clang loop unroll(full)") for (size_t r = 0; r < rows; r++)                                     \
        _Pragma("clang loop unroll(full)") for (size_t j = 0; j < vectors; j++) sum[r][j] +=                 \
        row[r][column] * right[j];                                                                           \
  } while (0)
  /* A list of all inputs needs no looking up, which processors that issue few instructions at a time gain by. */
  size_t p = 0;
#if !CK_IS_AVX512
  if (rows > 1 && tile->list_count == tile->depth)
    for (; p + UNROLL <= tile->list_count; p += UNROLL) {
#pragma clang loop unroll(full)
      for (size_t u = 0; u < UNROLL; u++)
        ADD_INPUT(p + u);
    }
#endif
  for (; p < tile->list_count; p++) {
    size_t column = tile->list[p];
    ADD_INPUT(column);
  }
#undef ADD_INPUT
#pragma clang loop unroll(full)
  for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++)
      *(vf *)(sums[r] + j * VL) = sum[r][j];
  for (size_t r = 0; r < tile->rows; r++)
    if (count == vectors * VL)
      memcpy(y + r * tile->ldy, sums[r], vectors * VL * sizeof(float));
    else
      memcpy(y + r * tile->ldy, sums[r], count * sizeof(float));
  if (tile->activation != CK_IDENTITY)
    FN(finish)(tile, first, count);
}

/* A group of outputs for one tile of rows. Packed outputs are a multiple of 16, so only the widest vectors can be
   too few to be summed at once; those few are taken one block at a time. */
static void FN(tile)(const dense_tile *tile) {
  size_t first = 0, width = (tile->count + DENSE_BLOCK - 1) / DENSE_BLOCK * DENSE_BLOCK;
  if (tile->rows > 1) {
    for (; first + NV * VL <= width; first += NV * VL)
      FN(multiply)(ROWS, NV, tile, first);
#if NV * VL > 16
    for (; first < width; first += DENSE_BLOCK)
      FN(multiply)(ROWS, DENSE_BLOCK / VL, tile, first);
#endif
  } else {
    for (; first + SINGLE * VL <= width; first += SINGLE * VL)
      FN(multiply)(1, SINGLE, tile, first);
#if SINGLE * VL > 16
    for (; first < width; first += DENSE_BLOCK)
      FN(multiply)(1, DENSE_BLOCK / VL, tile, first);
#endif
  }
}

static const dense_kernels FN(kernels) = {ROWS, GROUP, FN(list), FN(tile)};

#undef ROWS
#undef NV
#undef SINGLE
#undef GROUP
#undef UNROLL
#include "vector_template_end.h"
