/*
 * The matrix product: how it is cut into tiles and shared among threads. The inner loops are in
 * gemm_template.h, compiled once per path.
 */
#include "gemm.h"

/* Makes the job's step with rows of a gradient that belong where C has `c`. */
static __attribute__((noinline)) void make_step(const gemm_job *job, const float *c, size_t rows,
                                                size_t count, const float *gradient, size_t ld) {
  for (size_t i = 0; i < rows; i++, c += job->ldc, gradient += ld)
    job->adam(count, gradient, job->step, (size_t)(c - job->start));
}

/* Asks for what that will need while the gradient is computed. */
static __attribute__((noinline)) void prefetch_step(const gemm_job *job, size_t row, size_t rows,
                                                    size_t column, size_t count) {
  size_t at = (size_t)(job->c - job->start) + row * job->ldc + column;
  for (size_t i = 0; i < rows; i++, at += job->ldc)
    for (size_t j = 0; j < count; j += 16) {
      __builtin_prefetch(job->step->weights + at + j, 1);
      __builtin_prefetch(job->step->m + at + j, 1);
      __builtin_prefetch(job->step->v + at + j, 1);
    }
}

#define CK_TEMPLATE "gemm_template.h"
#include "each_path.h"

static const gemm_kernels *const kernels[CK_PATH_COUNT] = CK_KERNELS(avx2, neon);

/* Rows that go through at a time: bounds the packed copy of A. */
enum { GEMM_ROWS = 1024 };
/* Rows of one task: with GEMM_DEPTH, what of A stays in the second-level cache. */
enum { GEMM_BLOCK_ROWS = 256 };
/* Tasks to have where there is work for them, and the rows below which a task is not worth a panel's packing.
 */
enum { GEMM_TASKS = 8, GEMM_TASK_ROWS = 24 };
/* Multiplications below which waking a thread costs more than it saves. */
enum { GEMM_ALONE = 1 << 18 };
/* The same for the floats of A to be packed. */
enum { GEMM_PACK_ALONE = 1 << 16 };
/* Columns up to which a tall product is computed transposed: it would leave most of every vector empty. */
enum { GEMM_NARROW = 8 };

static void run(size_t count, void (*task)(void *, size_t), void *context, int alone) {
  if (!alone)
    ck_parallel(count, task, context);
  else
    for (size_t i = 0; i < count; i++)
      task(context, i);
}

static size_t divide_up(size_t a, size_t b) {
  return a / b + (a % b != 0);
}

/* Whether enough of B [k, n], as it lies, is zero in runs of eight for the product to go faster when B's
   columns are the tiles' rows. It looks at a sample: bits do not depend on the answer. */
static int has_runs_of_zeros(const gemm_job *job) {
  size_t runs = 0, zero = 0;
  for (size_t i = 0; i < 16; i++) {
    const float *row = job->b + job->k * i / 16 * job->ldb;
    for (size_t j = i * 8 % 64; j + 8 <= job->n; j += 64) {
      int used = 0;
      for (size_t l = 0; l < 8; l++)
        used |= row[j + l] != 0;
      zero += !used;
      runs++;
    }
  }
  return zero * 4 > runs;
}

/* C^T = op(B)^T op(A)^T */
static void turn(gemm_job *job) {
  gemm_job old = *job;
  job->transpose_a = !old.transpose_b;
  job->transpose_b = !old.transpose_a;
  job->transpose_c = !old.transpose_c;
  job->m = old.n;
  job->n = old.m;
  job->a = old.b;
  job->b = old.a;
  job->lda = old.ldb;
  job->ldb = old.lda;
}

static int multiply(gemm_job job) {
  if (job.m == 0 || job.n == 0)
    return 0;
  const size_t n = job.n, k = job.k;
  const float *const bias = job.bias;
  float *const c = job.c;
  job.start = c;
  job.adam = ck_adam_kernel();
  if (n <= GEMM_NARROW ? job.m > 2 * n
                       : job.transpose_a && !job.transpose_b && k >= 16 && has_runs_of_zeros(&job))
    turn(&job);
  const gemm_kernels *kernel = kernels[ck_path()];
  int alone = (double)job.m * (double)n * (double)k < GEMM_ALONE;
  job.panels = divide_up(job.n, kernel->columns);
  size_t rows = job.m, chunk = rows < GEMM_ROWS ? rows : GEMM_ROWS;
  size_t pieces = k == 0 ? 1 : divide_up(k, GEMM_DEPTH);
  job.depth = divide_up(k, pieces);
  /* Per element of A four bytes and at most two for its column's number; and counts. */
  if (k > SIZE_MAX / 8 / chunk)
    return -1;
  /* And room for what a tile of a few rows reads too far. */
  size_t floats = chunk * k + 8, tiles = divide_up(chunk, kernel->rows);
  job.packed_a =
      ck_scratch_take(floats * sizeof(float) + pieces * tiles * (job.depth + 1) * sizeof(uint16_t));
  if (!job.packed_a)
    return -1;
  job.columns = (uint16_t *)(job.packed_a + floats);
  job.column_counts = job.columns + pieces * tiles * job.depth;
  const float *const a = job.a;
  for (size_t first = 0; first < rows; first += chunk) {
    job.m = rows - first < chunk ? rows - first : chunk;
    job.a = job.transpose_a ? a + first : a + first * job.lda;
    job.c = job.transpose_c ? c + first : c + first * job.ldc;
    if (job.transpose_c && bias)
      job.bias = bias + first;
    job.row_tiles = divide_up(job.m, kernel->rows);
    job.row_blocks = divide_up(job.m, GEMM_BLOCK_ROWS);
    while (job.panels * job.row_blocks < GEMM_TASKS && job.m / (job.row_blocks + 1) >= GEMM_TASK_ROWS)
      job.row_blocks++;
    run(job.row_tiles, kernel->pack_a, &job, alone || job.m * k < GEMM_PACK_ALONE);
    run(job.panels * job.row_blocks, kernel->multiply, &job, alone);
  }
  ck_scratch_give(job.packed_a);
  return 0;
}

int ck_sgemm(int transpose_a, int transpose_b, size_t m, size_t n, size_t k, const float *a, size_t lda,
             const float *b, size_t ldb, float *c, size_t ldc, const float *bias, int activation,
             int accumulate) {
  return multiply((gemm_job){.transpose_a = transpose_a != 0,
                             .transpose_b = transpose_b != 0,
                             .activation = activation,
                             .accumulate = accumulate,
                             .m = m,
                             .n = n,
                             .k = k,
                             .a = a,
                             .b = b,
                             .bias = bias,
                             .c = c,
                             .lda = lda,
                             .ldb = ldb,
                             .ldc = ldc});
}

int ck_sgemm_input_gradient(size_t m, size_t n, size_t k, const float *dy, const float *w, const float *x,
                            int activation, float *dx) {
  return multiply((gemm_job){.m = m,
                             .n = n,
                             .k = k,
                             .a = dy,
                             .b = w,
                             .c = dx,
                             .x = x,
                             .gradient_activation = activation,
                             .lda = k,
                             .ldb = n,
                             .ldc = n});
}

int ck_sgemm_weight_gradient(size_t m, size_t n, size_t k, const float *dy, const float *x, float *dw,
                             const ck_adam_step *step) {
  return multiply((gemm_job){.transpose_a = 1,
                             .m = m,
                             .n = n,
                             .k = k,
                             .a = dy,
                             .b = x,
                             .c = dw,
                             .step = step,
                             .lda = m,
                             .ldb = n,
                             .ldc = n});
}
