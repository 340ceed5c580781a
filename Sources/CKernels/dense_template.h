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

/* Lists the inputs that are not zero in all rows; the list has room for a vector more. Returns how many. */
static size_t FN(list)(const float *x, size_t ldx, size_t rows, size_t inputs, uint16_t *list) {
  size_t count = 0;
  for (size_t i = 0; i < inputs; i += VL) {
    size_t left = inputs - i < VL ? inputs - i : VL;
#if CK_IS_AVX512
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __mmask16 part = (__mmask16)((1u << left) - 1), used = 0;
    for (size_t r = 0; r < rows; r++)
      used |= _mm512_cmp_ps_mask(_mm512_maskz_loadu_ps(part, x + r * ldx + i), _mm512_setzero_ps(), _CMP_NEQ_UQ);
    __m512i at = _mm512_maskz_compress_epi32(used, _mm512_add_epi32(lane, _mm512_set1_epi32((int)i)));
    _mm256_storeu_si256((__m256i *)(list + count), _mm512_cvtepi32_epi16(at));
    count += (size_t)__builtin_popcount(used);
#else
    vi used = (vi){};
    for (size_t r = 0; r < rows; r++) {
      const float *p = x + r * ldx + i;
      used |= (left == VL ? vload(p) : vload_part(p, left)) != 0.0f;
    }
    for (size_t l = 0; l < left; l++) {
      list[count] = (uint16_t)(i + l);
      count += used[l] != 0;
    }
#endif
  }
  return count;
}

/* `vectors` vectors of outputs from `first` on. rows and vectors are constants where this is inlined; a row
   that the tile lacks is its last one again. */
CK_INLINE void FN(multiply)(const size_t rows, const size_t vectors, const dense_tile *tile, size_t first) {
  const float *row[ROWS], *w[SINGLE];
  vf sum[ROWS][SINGLE];
#pragma clang loop unroll(full)
  for (size_t j = 0; j < vectors; j++) {
    size_t at = first + j * VL;
    w[j] = tile->weights + at / DENSE_BLOCK * tile->stride + at % DENSE_BLOCK;
  }
#pragma clang loop unroll(full)
  for (size_t r = 0; r < rows; r++) {
    row[r] = tile->x + (r < tile->rows ? r : tile->rows - 1) * tile->ldx;
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++)
      sum[r][j] = vload(w[j]);
  }
  for (size_t p = 0; p < tile->list_count; p++) {
    size_t column = tile->list[p], at = (column + 1) * DENSE_BLOCK;
    vf right[SINGLE];
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++)
      right[j] = vload(w[j] + at);
#pragma clang loop unroll(full)
    for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
      for (size_t j = 0; j < vectors; j++)
        sum[r][j] += row[r][column] * right[j];
  }
  _Alignas(64) float sums[ROWS][SINGLE * VL];
#pragma clang loop unroll(full)
  for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++)
      *(vf *)(sums[r] + j * VL) = sum[r][j];
  size_t count = tile->count < first ? 0 : tile->count - first;
  count = count < vectors * VL ? count : vectors * VL;
  for (size_t r = 0; r < tile->rows; r++)
    memcpy(tile->y + r * tile->ldy + first, sums[r], count * sizeof(float));
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

static const dense_kernels FN(kernels) = {ROWS, FN(list), FN(tile)};

#undef ROWS
#undef NV
#undef SINGLE
#include "vector_template_end.h"
