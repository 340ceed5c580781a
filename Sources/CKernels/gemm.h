/*
 * The interface between a matrix product's plan and its kernels. The plan (gemm.c) is the same for all
 * paths but for the tile's size; the kernels (gemm_template.h) are compiled per path.
 */
#ifndef CK_GEMM_H
#define CK_GEMM_H

#include "internal.h"

/* The largest part of k that one pass over packed panels takes. */
enum { GEMM_DEPTH = 512 };

/* A product with its sizes cut into tiles. Tiles depend on shapes alone. */
typedef struct gemm_job {
  int transpose_a, transpose_b, activation, accumulate;
  /* C is stored [n, m], and bias goes with its rows. */
  int transpose_c;
  size_t m, n, k;
  const float *a, *b, *bias;
  float *c;
  /* The epilogue of C's elements, beside bias and activation: times f'(x) of the same places, or a
     step of Adam instead of being stored. `start` is the first of C. */
  const float *x;
  int gradient_activation;
  const ck_adam_step *step;
  ck_adam_kernel_function adam;
  float *start;
  size_t lda, ldb, ldc;
  /* Rows are shared out evenly among row_tiles tiles, and tiles among row_blocks blocks. */
  size_t row_tiles, row_blocks, panels;
  /* k in pieces of `depth`, the last one shorter. */
  size_t depth;
  /* Piece by piece of k, and in it tile by tile: [depth][rows of the tile], without the columns that are all
     zero; which ones are there, and how many. */
  float *packed_a;
  uint16_t *columns;       /* [pieces][row_tiles][depth] */
  uint16_t *column_counts; /* [pieces][row_tiles] */
} gemm_job;

typedef struct gemm_kernels {
  size_t rows, columns; /* of a full tile */
  void (*pack_a)(void *job, size_t tile);
  void (*multiply)(void *job, size_t block_and_panel);
} gemm_kernels;

CK_INLINE size_t share_start(size_t total, size_t parts, size_t index) {
  return total * index / parts;
}

#endif
