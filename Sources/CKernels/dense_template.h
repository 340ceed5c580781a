/*
 * A template (see each_path.h): a dense layer in floats on a few rows. Weights are packed (dense.c), rows are
 * read where they lie, and columns that are zero in all rows of a tile are left out, which is most of a
 * picture's edge.
 *
 * Each output is one chain of multiply-adds in the order of the inputs, from the bias on, whatever tile it
 * falls in: its bits depend on its own row alone.
 */
#include "vector_template.h"

/* A tile's rows, and the vectors of outputs that it sums at once. */
#if CK_REGISTERS == 32
#define ROWS 7
#define NV 4
#else
#define ROWS 6
#define NV 2
#endif

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

/* `vectors` vectors of outputs from `first` of the block on. rows and vectors are constants where this is
   inlined; a row that the tile lacks is its last one again. */
CK_INLINE void FN(multiply)(const size_t rows, const size_t vectors, const dense_tile *tile, size_t first) {
  const float *row[ROWS];
  vf sum[ROWS][NV];
  const float *w = tile->weights + first;
#pragma clang loop unroll(full)
  for (size_t r = 0; r < rows; r++) {
    row[r] = tile->x + (r < tile->rows ? r : tile->rows - 1) * tile->ldx;
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++)
      sum[r][j] = vload(w + j * VL);
  }
  w += tile->width;
  for (size_t p = 0; p < tile->list_count; p++) {
    size_t column = tile->list[p];
    vf right[NV];
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++)
      right[j] = vload(w + column * tile->width + j * VL);
#pragma clang loop unroll(full)
    for (size_t r = 0; r < rows; r++) {
      vf left = (vf){} + row[r][column];
#pragma clang loop unroll(full)
      for (size_t j = 0; j < vectors; j++)
        sum[r][j] += left * right[j];
    }
  }
  _Alignas(64) float sums[ROWS][NV * VL];
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

/* One block of outputs for one tile of rows. A width is a multiple of 16, so only the widest vectors can be fewer
   than NV; those few are taken one by one. */
static void FN(tile)(const dense_tile *tile) {
  size_t first = 0;
  for (; first + NV * VL <= tile->width; first += NV * VL)
    if (tile->rows > 1)
      FN(multiply)(ROWS, NV, tile, first);
    else
      FN(multiply)(1, NV, tile, first);
#if NV * VL > 16
  for (; first < tile->width; first += VL)
    if (tile->rows > 1)
      FN(multiply)(ROWS, 1, tile, first);
    else
      FN(multiply)(1, 1, tile, first);
#endif
}

static const dense_kernels FN(kernels) = {ROWS, FN(list), FN(tile)};

#undef ROWS
#undef NV
#include "vector_template_end.h"
