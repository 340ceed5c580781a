/*
 * A template (see each_path.h): packing and the register-blocked inner loop of the matrix product.
 *
 * Each element of C is one chain of multiply-adds in the order of k, cut every `depth`, whatever tile it
 * falls in and whichever operand is spread over vectors. So a product's bits depend on neither.
 */
#include "vector_template.h"

/* A tile is ROWS by NV vectors: as many sums as leave registers for a row of B and one element of A. */
#if CK_REGISTERS == 32
#define ROWS 7
#define NV 4
#else
#define ROWS 6
#define NV 2
#endif
#define COLUMNS (NV * VL)
/* Rows up to which tiles are computed with that many: rows are shared evenly, so that few have fewer. */
#if CK_IS_GENERIC
#define FEW ROWS
#else
#define FEW (ROWS - 1)
#endif
/* Floats from row to row of a full tile that was transposed. */
#define TRANSPOSED 8

/* Packing goes in vectors of PL floats; wider ones would only cost more shuffles. */
#if VL == 4
#define PL 4
#else
#define PL 8
#endif

typedef float FN(quad) __attribute__((vector_size(16)));
typedef float FN(unaligned_quad) __attribute__((vector_size(16), aligned(4)));
#define vp FN(pack_vector)
typedef float vp __attribute__((vector_size(PL * 4)));
typedef float FN(unaligned_pack) __attribute__((vector_size(PL * 4), aligned(4)));

CK_INLINE FN(quad) FN(load_quad)(const float *p) {
  return *(const FN(unaligned_quad) *)p;
}

/* Bit i is set if lane i is not zero. */
CK_INLINE unsigned FN(not_zero)(vp v) {
#if PL == 8
  return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps((__m256)v, _mm256_setzero_ps(), _CMP_NEQ_UQ));
#elif defined(__SSE2__)
  return (unsigned)_mm_movemask_ps(_mm_cmpneq_ps((__m128)v, _mm_setzero_ps()));
#else
  return (v[0] != 0) | (v[1] != 0) << 1 | (v[2] != 0) << 2 | (v[3] != 0) << 3;
#endif
}

/* v[g] = column g of PL rows of four floats. Rows from `count` on are read as row count - 1. */
CK_INLINE void FN(load_columns)(const float *p, size_t ld, size_t count, vp v[4]) {
#define QUAD(i) FN(load_quad)(p + ((i) < count ? (i) : count - 1) * ld)
#if PL == 4
  vp a = QUAD(0), b = QUAD(1), c = QUAD(2), d = QUAD(3);
#define EACH(w, x, y, z) w, x, y, z
#else
#define PAIR(i) __builtin_shufflevector(QUAD(i), QUAD(i + 4), 0, 1, 2, 3, 4, 5, 6, 7)
  vp a = PAIR(0), b = PAIR(1), c = PAIR(2), d = PAIR(3);
#define EACH(w, x, y, z) w, x, y, z, w + 4, x + 4, y + 4, z + 4
#undef PAIR
#endif
#undef QUAD
  vp ab_low = __builtin_shufflevector(a, b, EACH(0, PL + 0, 1, PL + 1));
  vp ab_high = __builtin_shufflevector(a, b, EACH(2, PL + 2, 3, PL + 3));
  vp cd_low = __builtin_shufflevector(c, d, EACH(0, PL + 0, 1, PL + 1));
  vp cd_high = __builtin_shufflevector(c, d, EACH(2, PL + 2, 3, PL + 3));
  v[0] = __builtin_shufflevector(ab_low, cd_low, EACH(0, 1, PL + 0, PL + 1));
  v[1] = __builtin_shufflevector(ab_low, cd_low, EACH(2, 3, PL + 2, PL + 3));
  v[2] = __builtin_shufflevector(ab_high, cd_high, EACH(0, 1, PL + 0, PL + 1));
  v[3] = __builtin_shufflevector(ab_high, cd_high, EACH(2, 3, PL + 2, PL + 3));
#undef EACH
}

/* Packs one tile's rows of op(A), piece by piece of k, as [depth][rows], leaving out columns of zeros. */
static void FN(pack_a)(void *context, size_t tile) {
  const gemm_job *job = context;
  enum { GROUPS = (ROWS + PL - 1) / PL };
  size_t first = share_start(job->m, job->row_tiles, tile);
  size_t rows = share_start(job->m, job->row_tiles, tile + 1) - first;
  const size_t lda = job->lda;
  size_t piece = 0;
  for (size_t k0 = 0; k0 < job->k; k0 += job->depth, piece++) {
    size_t depth = job->k - k0 < job->depth ? job->k - k0 : job->depth;
    float *to = job->packed_a + k0 * job->m + first * depth;
    uint16_t *columns = job->columns + (piece * job->row_tiles + tile) * job->depth;
    size_t n = 0, p = 0;
    /* Whole vectors are written while they end inside this tile's part: what a column's last one writes too
       far, the next column overwrites. */
    if (job->transpose_a) {
      const float *from = job->a + k0 * lda + first;
      for (; p < depth && (depth - p) * rows >= GROUPS * PL; p++) {
        /* And read while they end inside the matrix. */
        if ((job->k - 1 - k0 - p) * lda + (job->m - first) < GROUPS * PL)
          break;
        unsigned used = 0;
#pragma clang loop unroll(full)
        for (size_t g = 0; g < GROUPS; g++) {
          vp v = *(const FN(unaligned_pack) *)(from + p * lda + g * PL);
          *(FN(unaligned_pack) *)(to + n * rows + g * PL) = v;
          used |= FN(not_zero)(v) << (g * PL);
        }
        columns[n] = (uint16_t)p;
        n += (used & ((1u << rows) - 1)) != 0;
      }
    } else {
      const float *from = job->a + first * lda + k0;
      for (; p + 4 <= depth && (depth - p - 3) * rows >= GROUPS * PL; p += 4) {
        vp v[GROUPS][4];
#pragma clang loop unroll(full)
        for (size_t g = 0; g < GROUPS; g++) {
          size_t row = g * PL < rows ? g * PL : rows - 1;
          FN(load_columns)(from + row * lda + p, lda, rows - row, v[g]);
        }
#pragma clang loop unroll(full)
        for (size_t q = 0; q < 4; q++) {
          unsigned used = 0;
#pragma clang loop unroll(full)
          for (size_t g = 0; g < GROUPS; g++) {
            *(FN(unaligned_pack) *)(to + n * rows + g * PL) = v[g][q];
            used |= FN(not_zero)(v[g][q]);
          }
          columns[n] = (uint16_t)(p + q);
          n += used != 0;
        }
      }
    }
    for (; p < depth; p++) {
      int used = 0;
      for (size_t i = 0; i < rows; i++) {
        float x = job->transpose_a ? job->a[(k0 + p) * lda + first + i] : job->a[(first + i) * lda + k0 + p];
        to[n * rows + i] = x;
        used |= x != 0;
      }
      columns[n] = (uint16_t)p;
      n += used != 0;
    }
    job->column_counts[piece * job->row_tiles + tile] = (uint16_t)n;
  }
}

/* Packs a panel of op(B) as [depth][width]; columns beyond the matrix are undefined. `to` has
   room for a vector more. */
static void FN(pack_b)(const gemm_job *job, size_t k0, size_t depth, size_t column, size_t count,
                       size_t width, float *to) {
  if (job->transpose_b) {
    /* Sixteen floats of every row at a time: what is a cache line here is a cache line there. */
    for (size_t p0 = 0; p0 < depth; p0 += 16) {
      size_t end = depth - p0 < 16 ? depth : p0 + 16;
      for (size_t j = 0; j < count; j += PL) {
        const float *from = job->b + (column + j) * job->ldb + k0;
        size_t rows = count - j < PL ? count - j : PL, p = p0;
        for (; p + 4 <= end; p += 4) {
          vp v[4];
          if (rows == PL)
            FN(load_columns)(from + p, job->ldb, PL, v);
          else
            FN(load_columns)(from + p, job->ldb, rows, v);
#pragma clang loop unroll(full)
          for (size_t q = 0; q < 4; q++)
            *(FN(unaligned_pack) *)(to + (p + q) * width + j) = v[q];
        }
        for (; p < end; p++)
          for (size_t i = 0; i < rows; i++)
            to[p * width + j + i] = from[i * job->ldb + p];
      }
    }
  } else {
    for (size_t j = 0; j < count; j += VL) {
      const float *from = job->b + k0 * job->ldb + column + j;
      size_t left = count - j;
      if (left >= VL)
        for (size_t p = 0; p < depth; p++)
          vstore(to + p * width + j, vload(from + p * job->ldb));
      else
        for (size_t p = 0; p < depth; p++)
          vstore(to + p * width + j, vload_part(from + p * job->ldb, left));
    }
  }
}

/* tile[rows][COLUMNS] = A B over the listed columns of A, which are `step` apart; rows and vectors are constants
   where this is inlined, so that all sums stay in registers. */
CK_INLINE void FN(tile)(const size_t rows, const size_t vectors, size_t count, const uint16_t *columns,
                        const float *a, size_t step, const float *b, size_t stride, float *tile) {
  vf sum[ROWS][NV];
#pragma clang loop unroll(full)
  for (size_t i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++)
      sum[i][j] = (vf){};
  for (size_t p = 0; p < count; p++) {
    const float *row = b + columns[p] * stride;
    vf right[NV];
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++)
      right[j] = vload(row + j * VL);
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++)
#pragma clang loop unroll(full)
      for (size_t j = 0; j < vectors; j++)
        sum[i][j] += a[i] * right[j];
    a += step;
  }
#pragma clang loop unroll(full)
  for (size_t i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++)
      vstore(tile + i * COLUMNS + j * VL, sum[i][j]);
}

/* The same for any number of rows, and one vector or NV: more cases would only be more code. What the fewest rows
   read too far of A is room that it has, and what comes of that is not stored. */
static __attribute__((noinline)) void FN(any_tile)(size_t rows, size_t vectors, size_t count,
                                                   const uint16_t *columns, const float *a, const float *b,
                                                   size_t stride, float *tile) {
#define CASE(R, STEP)                                                                                        \
  if (vectors == NV)                                                                                         \
    FN(tile)(R, NV, count, columns, a, STEP, b, stride, tile);                                               \
  else                                                                                                       \
    FN(tile)(R, 1, count, columns, a, STEP, b, stride, tile)
#if FEW < ROWS
  if (rows == ROWS) {
    CASE(ROWS, ROWS);
    return;
  }
#endif
  CASE(FEW, rows);
#undef CASE
}

/* Transposes the first `count` columns of tile[rows][COLUMNS] to transposed[count][ld]. A vector may write
   PL floats too far in a row. */
static __attribute__((noinline)) void FN(transpose_tile)(size_t rows, size_t count, const float *tile, float *transposed, size_t ld) {
  for (size_t j = 0; j < count; j += 4)
    for (size_t i = 0; i < rows; i += PL) {
      vp v[4];
      FN(load_columns)(tile + i * COLUMNS + j, COLUMNS, rows - i, v);
#pragma clang loop unroll(full)
      for (size_t q = 0; q < 4; q++)
        *(FN(unaligned_pack) *)(transposed + (j + q) * ld + i) = v[q];
    }
}

/* Stores rows of sums to C, adding to earlier pieces of k; after the last piece applies bias, activation or step. */
static void FN(store)(const gemm_job *job, size_t row, size_t rows, size_t column, size_t count,
                      const float *sums, size_t ld, int add, int last) {
  float *c = job->c + row * job->ldc + column;
  int step = last && job->step;
  if (step && !add) {
    make_step(job, c, rows, count, sums, ld);
    return;
  }
  int activation = last ? job->activation : CK_IDENTITY;
  int gradient = last ? job->gradient_activation : CK_IDENTITY;
  for (size_t j = 0; j < count; j += VL) {
    size_t left = count - j;
    vf bias = (vf){};
    if (last && job->bias)
      bias = left >= VL ? vload(job->bias + column + j) : vload_part(job->bias + column + j, left);
    float *to = c + j;
    for (size_t i = 0; i < rows; i++, to += job->ldc) {
      vf sum = vload(sums + i * ld + j);
      if (add)
        sum += left >= VL ? vload(to) : vload_part(to, left);
      sum = vactivate(activation, sum + bias);
      if (gradient != CK_IDENTITY) {
        const float *x = job->x + (to - job->start);
        sum = vactivation_gradient(gradient, left >= VL ? vload(x) : vload_part(x, left), sum);
      }
      if (left >= VL)
        vstore(to, sum);
      else
        vstore_part(to, sum, left);
    }
  }
  if (step)
    make_step(job, c, rows, count, c, job->ldc);
}

/* The same for a tile, whichever way C lies. */
static void FN(finish)(const gemm_job *job, size_t row, size_t rows, size_t column, size_t count,
                       const float *tile, int add, int last) {
  if (!job->transpose_c) {
    FN(store)(job, row, rows, column, count, tile, COLUMNS, add, last);
    return;
  }
  /* What a vector writes too far, the next ones overwrite. */
  _Alignas(64) float transposed[COLUMNS * TRANSPOSED + VL];
  FN(transpose_tile)(rows, count, tile, transposed, TRANSPOSED);
  FN(store)(job, column, count, row, rows, transposed, TRANSPOSED, add, last);
}

static void FN(multiply)(void *context, size_t index) {
  const gemm_job *job = context;
  size_t panel = index / job->row_blocks, block = index % job->row_blocks;
  size_t column = panel * COLUMNS;
  size_t count = job->n - column < COLUMNS ? job->n - column : COLUMNS;
  size_t vectors = (count + VL - 1) / VL;
  size_t first_tile = share_start(job->row_tiles, job->row_blocks, block);
  size_t end_tile = share_start(job->row_tiles, job->row_blocks, block + 1);
  _Alignas(64) float b[GEMM_DEPTH * COLUMNS + 2 * VL];
  _Alignas(64) float tile[ROWS * COLUMNS];
  /* A step on weights that lie across the tiles goes over the whole block at last, along its rows: the sums
     wait in the room that the panel leaves. */
  size_t block_row = share_start(job->m, job->row_tiles, first_tile);
  size_t block_rows = share_start(job->m, job->row_tiles, end_tile) - block_row;
  float *transposed = NULL;
  size_t transposed_ld = block_rows + PL;
  if (job->step && job->transpose_c && job->depth == job->k && job->k + transposed_ld <= GEMM_DEPTH)
    transposed = b + job->k * COLUMNS + VL;
  size_t k0 = 0, piece = 0;
  do {
    size_t depth = job->k - k0 < job->depth ? job->k - k0 : job->depth;
    FN(pack_b)(job, k0, depth, column, count, vectors * VL, b);
    for (size_t t = first_tile; t < end_tile; t++) {
      size_t row = share_start(job->m, job->row_tiles, t);
      size_t rows = share_start(job->m, job->row_tiles, t + 1) - row;
      const uint16_t *columns = job->columns + (piece * job->row_tiles + t) * job->depth;
      size_t used = job->k == 0 ? 0 : job->column_counts[piece * job->row_tiles + t];
      const float *a = job->packed_a + k0 * job->m + row * depth;
      if (job->step && !job->transpose_c && k0 + depth == job->k)
        prefetch_step(job, row, rows, column, count);
      for (size_t j = 0, wide; j < vectors; j += wide) {
        wide = vectors - j < NV ? 1 : NV;
        FN(any_tile)(rows, wide, used, columns, a, b + j * VL, vectors * VL, tile + j * VL);
      }
      if (transposed)
        FN(transpose_tile)(rows, count, tile, transposed + (row - block_row), transposed_ld);
      else
        FN(finish)(job, row, rows, column, count, tile, k0 > 0 || job->accumulate, k0 + depth == job->k);
    }
    k0 += depth;
    piece++;
  } while (k0 < job->k);
  if (transposed)
    FN(store)(job, column, count, block_row, block_rows, transposed, transposed_ld, 0, 1);
}

static const gemm_kernels FN(kernels) = {ROWS, COLUMNS, FN(pack_a), FN(multiply)};

#undef NV
#undef COLUMNS
#undef FEW
#undef ROWS
#undef TRANSPOSED
#undef PL
#undef vp
#include "vector_template_end.h"
