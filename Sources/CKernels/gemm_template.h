/*
 * A template (see each_path.h): packing and the register-blocked inner loop of the matrix product.
 */
#include "vector_template.h"

#define NV 2
#define COLUMNS (NV * VL)
#if CK_REGISTERS == 32
#define ROWS 14
#define FEW 4
#else
#define ROWS 6
#define FEW 2
#endif

typedef float FN(quad) __attribute__((vector_size(16)));
typedef float FN(unaligned_quad) __attribute__((vector_size(16), aligned(4)));

CK_INLINE FN(quad) FN(load_quad)(const float *p) { return *(const FN(unaligned_quad) *)p; }

/* Four floats of each of rows `row`, row + 4, row + 8 ... : as many as fill a vector. Rows from `count` on
   are read as row count - 1. */
CK_INLINE vf FN(load_quads)(const float *p, size_t ld, size_t row, size_t count) {
#define QUAD(i) FN(load_quad)(p + (row + (i) < count ? row + (i) : count - 1) * ld)
#if VL == 4
  return QUAD(0);
#elif VL == 8
  return __builtin_shufflevector(QUAD(0), QUAD(4), 0, 1, 2, 3, 4, 5, 6, 7);
#else
  typedef float half __attribute__((vector_size(32)));
  half low = __builtin_shufflevector(QUAD(0), QUAD(4), 0, 1, 2, 3, 4, 5, 6, 7);
  half high = __builtin_shufflevector(QUAD(8), QUAD(12), 0, 1, 2, 3, 4, 5, 6, 7);
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
#undef QUAD
}

/* Within each four lanes: the 4 x 4 matrix in v, transposed. */
CK_INLINE void FN(transpose_quads)(vf v[4]) {
#if VL == 4
#define EACH(a, b, c, d) a, b, c, d
#define SECOND 4
#elif VL == 8
#define EACH(a, b, c, d) a, b, c, d, a + 4, b + 4, c + 4, d + 4
#define SECOND 8
#else
#define EACH(a, b, c, d)                                                                                     \
  a, b, c, d, a + 4, b + 4, c + 4, d + 4, a + 8, b + 8, c + 8, d + 8, a + 12, b + 12, c + 12, d + 12
#define SECOND 16
#endif
  vf ab_low = __builtin_shufflevector(v[0], v[1], EACH(0, SECOND, 1, SECOND + 1));
  vf ab_high = __builtin_shufflevector(v[0], v[1], EACH(2, SECOND + 2, 3, SECOND + 3));
  vf cd_low = __builtin_shufflevector(v[2], v[3], EACH(0, SECOND, 1, SECOND + 1));
  vf cd_high = __builtin_shufflevector(v[2], v[3], EACH(2, SECOND + 2, 3, SECOND + 3));
  v[0] = __builtin_shufflevector(ab_low, cd_low, EACH(0, 1, SECOND, SECOND + 1));
  v[1] = __builtin_shufflevector(ab_low, cd_low, EACH(2, 3, SECOND + 2, SECOND + 3));
  v[2] = __builtin_shufflevector(ab_high, cd_high, EACH(0, 1, SECOND, SECOND + 1));
  v[3] = __builtin_shufflevector(ab_high, cd_high, EACH(2, 3, SECOND + 2, SECOND + 3));
#undef EACH
#undef SECOND
}

/*
 * to[p * width + i] = from[i * ld + p] for i < count <= VL and p < depth. Whole vectors are stored, so what
 * follows each `count` floats is overwritten with anything, but for the last: nothing past
 * to[(depth - 1) * width + count] is touched.
 */
CK_INLINE void FN(transpose)(const float *from, size_t ld, size_t count, size_t depth, size_t width, float *to) {
  size_t p = 0, spill = (VL - count + width - 1) / width;
  for (; p + 4 + spill <= depth; p += 4) {
    vf v[4];
#pragma clang loop unroll(full)
    for (size_t g = 0; g < 4; g++) v[g] = FN(load_quads)(from + p, ld, g, count);
    FN(transpose_quads)(v);
#pragma clang loop unroll(full)
    for (size_t g = 0; g < 4; g++) vstore(to + (p + g) * width, v[g]);
  }
  for (; p < depth; p++)
    for (size_t i = 0; i < count; i++) to[p * width + i] = from[i * ld + p];
}

/* Packs one tile's rows of op(A), depth block by depth block, as [depth][rows]. */
static void FN(pack_a)(void *context, size_t tile) {
  const gemm_job *job = context;
  size_t first = share_start(job->m, job->row_tiles, tile);
  size_t rows = share_start(job->m, job->row_tiles, tile + 1) - first;
  for (size_t k0 = 0; k0 < job->k; k0 += job->depth) {
    size_t depth = job->k - k0 < job->depth ? job->k - k0 : job->depth;
    float *to = job->packed_a + k0 * job->m + first * depth;
    /* The last vector of rows goes first: what it writes too far belongs to those that follow. */
    for (size_t i = (rows - 1) / VL * VL;; i -= VL) {
      size_t count = rows - i < VL ? rows - i : VL;
      if (!job->transpose_a) {
        FN(transpose)(job->a + (first + i) * job->lda + k0, job->lda, count, depth, rows, to + i);
      } else {
        const float *from = job->a + k0 * job->lda + first + i;
        for (size_t p = 0; p < depth; p++, from += job->lda) {
          /* A whole vector may be read while it ends inside the matrix, and written while inside the tile. */
          if ((depth - 1 - p) * rows + count >= VL && (job->k - 1 - k0 - p) * job->lda + (job->m - first - i) >= VL)
            vstore(to + p * rows + i, vload(from));
          else
            vstore_part(to + p * rows + i, vload_part(from, count), count);
        }
      }
      if (i == 0) break;
    }
  }
}

/* Packs a panel of op(B) as [depth][width]; what the matrix has no columns for holds anything. */
static void FN(pack_b)(const gemm_job *job, size_t k0, size_t depth, size_t column, size_t columns,
                       size_t width, float *to) {
  for (size_t j = 0; j < columns; j += VL) {
    size_t count = columns - j < VL ? columns - j : VL;
    if (job->transpose_b) {
      const float *from = job->b + (column + j) * job->ldb + k0;
      if (count == VL)
        FN(transpose)(from, job->ldb, VL, depth, width, to + j);
      else
        FN(transpose)(from, job->ldb, count, depth, width, to + j);
    } else {
      const float *from = job->b + k0 * job->ldb + column + j;
      if (count == VL)
        for (size_t p = 0; p < depth; p++) vstore(to + p * width + j, vload(from + p * job->ldb));
      else
        for (size_t p = 0; p < depth; p++) vstore(to + p * width + j, vload_part(from + p * job->ldb, count));
    }
  }
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
  for (size_t j = 0; j < vectors && j * VL < count; j++) {
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

/* Four sums of lanes, one for each of v. Within 16 bytes they are added last. */
CK_INLINE FN(quad) FN(lane_sums)(const vf v[4]) {
  vf t[4] = {v[0], v[1], v[2], v[3]};
  FN(transpose_quads)(t);
  vf sum = (t[0] + t[1]) + (t[2] + t[3]);
#if VL == 4
  return sum;
#elif VL == 8
  return __builtin_shufflevector(sum, sum, 0, 1, 2, 3) + __builtin_shufflevector(sum, sum, 4, 5, 6, 7);
#else
  return (__builtin_shufflevector(sum, sum, 0, 1, 2, 3) + __builtin_shufflevector(sum, sum, 4, 5, 6, 7)) +
         (__builtin_shufflevector(sum, sum, 8, 9, 10, 11) + __builtin_shufflevector(sum, sum, 12, 13, 14, 15));
#endif
}

/* Scalar products of `rows` rows of A with four of B, each along k. `rows` is a constant where this is inlined. */
CK_INLINE void FN(dots)(const size_t rows, size_t k, const float *a, size_t lda, const float *const b[4],
                        float *to, size_t ld) {
  vf sum[FEW][4];
#pragma clang loop unroll(full)
  for (size_t i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (size_t j = 0; j < 4; j++) sum[i][j] = (vf){};
  size_t p = 0;
  for (; p + VL <= k; p += VL) {
    vf right[4];
#pragma clang loop unroll(full)
    for (size_t j = 0; j < 4; j++) right[j] = vload(b[j] + p);
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++) {
      vf left = vload(a + i * lda + p);
#pragma clang loop unroll(full)
      for (size_t j = 0; j < 4; j++) sum[i][j] += left * right[j];
    }
  }
  if (p < k) {
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++) {
      vf left = vload_part(a + i * lda + p, k - p);
#pragma clang loop unroll(full)
      for (size_t j = 0; j < 4; j++) sum[i][j] += left * vload_part(b[j] + p, k - p);
    }
  }
#pragma clang loop unroll(full)
  for (size_t i = 0; i < rows; i++) *(FN(unaligned_quad) *)(to + i * ld) = FN(lane_sums)(sum[i]);
}

static void FN(multiply_few)(void *context, size_t panel) {
  const gemm_job *job = context;
  size_t column = panel * COLUMNS;
  size_t count = job->n - column < COLUMNS ? job->n - column : COLUMNS;
  _Alignas(64) float tile[GEMM_FEW * COLUMNS];
  size_t groups = (job->m + FEW - 1) / FEW;
  for (size_t j = 0; j < count; j += 4) {
    const float *b[4];
    for (size_t i = 0; i < 4; i++)
      b[i] = job->b + (j + i < count ? column + j + i : column + count - 1) * job->ldb;
    for (size_t group = 0; group < groups; group++) {
      size_t row = share_start(job->m, groups, group);
      const float *a = job->a + row * job->lda;
      float *to = tile + row * COLUMNS + j;
      switch (share_start(job->m, groups, group + 1) - row) {
      case 1:
        FN(dots)(1, job->k, a, job->lda, b, to, COLUMNS);
        break;
      case 2:
        FN(dots)(2, job->k, a, job->lda, b, to, COLUMNS);
        break;
#if FEW == 4
      case 3:
        FN(dots)(3, job->k, a, job->lda, b, to, COLUMNS);
        break;
      case 4:
        FN(dots)(4, job->k, a, job->lda, b, to, COLUMNS);
        break;
#endif
      }
    }
  }
  FN(finish)(job, job->m, NV, tile, job->c + column, count, job->bias ? job->bias + column : NULL,
             job->accumulate, 1);
}

static const gemm_kernels FN(kernels) = {ROWS, COLUMNS, FN(pack_a), FN(multiply), FN(multiply_few)};

#undef NV
#undef COLUMNS
#undef ROWS
#undef FEW
#include "vector_template_end.h"
