/*
 * A template (see each_path.h): packing and the register-blocked inner loop of the matrix product.
 */
#include "vector_template.h"

#define NV 2
#define COLUMNS (NV * VL)
#if CK_REGISTERS == 32
#define ROWS 14
#else
#define ROWS 6
#endif

/* Packs one tile's rows of op(A), depth block by depth block, as [depth][rows]. */
static void FN(pack_a)(void *context, size_t tile) {
  const gemm_job *job = context;
  size_t first = share_start(job->m, job->row_tiles, tile);
  size_t rows = share_start(job->m, job->row_tiles, tile + 1) - first;
  for (size_t k0 = 0; k0 < job->k; k0 += job->depth) {
    size_t depth = job->k - k0 < job->depth ? job->k - k0 : job->depth;
    float *to = job->packed_a + k0 * job->m + first * depth;
    if (job->transpose_a) {
      for (size_t p = 0; p < depth; p++)
        for (size_t i = 0; i < rows; i++) to[p * rows + i] = job->a[(k0 + p) * job->lda + first + i];
    } else {
      for (size_t i = 0; i < rows; i++)
        for (size_t p = 0; p < depth; p++) to[p * rows + i] = job->a[(first + i) * job->lda + k0 + p];
    }
  }
}

/* Packs a panel of op(B) as [depth][width], with zeros where the matrix has no more columns. */
static void FN(pack_b)(const gemm_job *job, size_t k0, size_t depth, size_t column, size_t count,
                       size_t width, float *to) {
  if (job->transpose_b) {
    for (size_t j = 0; j < count; j++)
      for (size_t p = 0; p < depth; p++) to[p * width + j] = job->b[(column + j) * job->ldb + k0 + p];
  } else {
    for (size_t p = 0; p < depth; p++)
      for (size_t j = 0; j < count; j++) to[p * width + j] = job->b[(k0 + p) * job->ldb + column + j];
  }
  for (size_t p = 0; p < depth && count < width; p++)
    for (size_t j = count; j < width; j++) to[p * width + j] = 0;
}

/* tile[rows][vectors * VL] = A B for packed A and B; rows and vectors are constants where this is
   inlined, so that all sums stay in registers. */
CK_INLINE void FN(tile)(const size_t rows, const size_t vectors, size_t depth, const float *a,
                        const float *b, float *tile) {
  vf sum[ROWS][NV];
#pragma clang loop unroll(full)
  for (size_t i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++) sum[i][j] = (vf){};
  for (size_t p = 0; p < depth; p++) {
    vf right[NV];
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++) right[j] = vload(b + j * VL);
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++)
#pragma clang loop unroll(full)
      for (size_t j = 0; j < vectors; j++) sum[i][j] += a[i] * right[j];
    a += rows;
    b += vectors * VL;
  }
#pragma clang loop unroll(full)
  for (size_t i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++) vstore(tile + (i * vectors + j) * VL, sum[i][j]);
}

static void FN(any_tile)(size_t rows, size_t vectors, size_t depth, const float *a, const float *b,
                         float *tile) {
#define CASE(R)                                                                                              \
  case R:                                                                                                    \
    if (vectors == 1)                                                                                        \
      FN(tile)(R, 1, depth, a, b, tile);                                                                     \
    else                                                                                                     \
      FN(tile)(R, 2, depth, a, b, tile);                                                                     \
    break;
  switch (rows) {
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#if ROWS > 6
    CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#endif
  }
#undef CASE
}

/* Adds a tile to what C holds (or, at first, to nothing), and at last bias and activation. */
static void FN(finish)(const gemm_job *job, size_t rows, size_t vectors, const float *tile, float *c,
                       size_t count, const float *bias, int add, int last) {
  for (size_t j = 0; j < vectors; j++) {
    size_t left = count - j * VL;
    vf b = (vf){};
    if (last && bias) b = left >= VL ? vload(bias + j * VL) : vload_part(bias + j * VL, left);
    for (size_t i = 0; i < rows; i++) {
      float *to = c + i * job->ldc + j * VL;
      vf sum = vload(tile + (i * vectors + j) * VL);
      if (add) sum += left >= VL ? vload(to) : vload_part(to, left);
      if (last) sum = vactivate(job->activation, sum + b);
      if (left >= VL)
        vstore(to, sum);
      else
        vstore_part(to, sum, left);
    }
  }
}

static void FN(multiply)(void *context, size_t index) {
  const gemm_job *job = context;
  size_t panel = index / job->row_blocks, block = index % job->row_blocks;
  size_t column = panel * COLUMNS;
  size_t count = job->n - column < COLUMNS ? job->n - column : COLUMNS;
  size_t vectors = (count + VL - 1) / VL;
  size_t first_tile = share_start(job->row_tiles, job->row_blocks, block);
  size_t end_tile = share_start(job->row_tiles, job->row_blocks, block + 1);
  const float *bias = job->bias ? job->bias + column : NULL;
  _Alignas(64) float b[GEMM_DEPTH * COLUMNS];
  _Alignas(64) float tile[ROWS * COLUMNS];
  size_t k0 = 0;
  do {
    size_t depth = job->k - k0 < job->depth ? job->k - k0 : job->depth;
    FN(pack_b)(job, k0, depth, column, count, vectors * VL, b);
    for (size_t t = first_tile; t < end_tile; t++) {
      size_t row = share_start(job->m, job->row_tiles, t);
      size_t rows = share_start(job->m, job->row_tiles, t + 1) - row;
      FN(any_tile)(rows, vectors, depth, job->packed_a + k0 * job->m + row * depth, b, tile);
      FN(finish)(job, rows, vectors, tile, job->c + row * job->ldc + column, count, bias,
                 k0 > 0 || job->accumulate, k0 + depth == job->k);
    }
    k0 += depth;
  } while (k0 < job->k);
}

static const gemm_kernels FN(kernels) = {ROWS, COLUMNS, FN(pack_a), FN(multiply)};

#undef NV
#undef COLUMNS
#undef ROWS
#include "vector_template_end.h"
