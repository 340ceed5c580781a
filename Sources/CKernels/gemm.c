/*
 * The matrix product: how it is cut into tiles and shared among threads. The inner loops are in
 * gemm_template.h, compiled once per path.
 */
#include "gemm.h"

#define CK_TEMPLATE "gemm_template.h"
#include "each_path.h"

static const gemm_kernels *const kernels[CK_PATH_COUNT] = {
    [CK_PATH_GENERIC] = &kernels_generic,
#if defined(__x86_64__)
    [CK_PATH_AVX2] = &kernels_avx2,
    [CK_PATH_AVX512] = &kernels_avx512,
#elif defined(__aarch64__)
    [CK_PATH_NEON] = &kernels_neon,
#endif
};

/* Rows that go through at a time: bounds the packed copy of A. */
enum { GEMM_ROWS = 1024 };
/* Rows of one task: with GEMM_DEPTH, what of A stays in the second-level cache. */
enum { GEMM_BLOCK_ROWS = 256 };
/* Multiplications below which waking a thread costs more than it saves. */
enum { GEMM_ALONE = 1 << 18 };
/* The same for the floats of A to be packed. */
enum { GEMM_PACK_ALONE = 1 << 16 };
/* Columns up to which a tall product is computed transposed. */
enum { GEMM_NARROW = 8 };

static void run(size_t count, void (*task)(void *, size_t), void *context, int alone) {
  if (!alone)
    ck_parallel(count, task, context);
  else
    for (size_t i = 0; i < count; i++) task(context, i);
}

static size_t divide_up(size_t a, size_t b) { return a / b + (a % b != 0); }

static int multiply(gemm_job *job) {
  const gemm_kernels *kernel = kernels[ck_path()];
  int alone = (double)job->m * (double)job->n * (double)job->k < GEMM_ALONE;
  job->panels = divide_up(job->n, kernel->columns);
  if (job->m <= GEMM_FEW && job->transpose_b && (!job->transpose_a || (job->m == 1 && job->lda == 1))) {
    run(job->panels, kernel->multiply_few, job, alone);
    return 0;
  }
  size_t rows = job->m, chunk = rows < GEMM_ROWS ? rows : GEMM_ROWS;
  if (job->k > SIZE_MAX / sizeof(float) / chunk) return -1;
  job->packed_a = ck_scratch_take(chunk * job->k * sizeof(float));
  if (!job->packed_a) return -1;
  size_t depth_blocks = job->k == 0 ? 1 : divide_up(job->k, GEMM_DEPTH);
  job->depth = divide_up(job->k, depth_blocks);
  const float *a = job->a;
  float *c = job->c;
  for (size_t first = 0; first < rows; first += chunk) {
    job->m = rows - first < chunk ? rows - first : chunk;
    job->a = job->transpose_a ? a + first : a + first * job->lda;
    job->c = c + first * job->ldc;
    job->row_tiles = divide_up(job->m, kernel->rows);
    job->row_blocks = divide_up(job->m, GEMM_BLOCK_ROWS);
    run(job->row_tiles, kernel->pack_a, job, alone || job->m * job->k < GEMM_PACK_ALONE);
    run(job->panels * job->row_blocks, kernel->multiply, job, alone);
  }
  ck_scratch_give(job->packed_a);
  return 0;
}

/* A tall product of few columns would leave most of every vector empty: its transpose does not. */
static int multiply_transposed(const gemm_job *job) {
  size_t m = job->m, n = job->n;
  if (m > SIZE_MAX / sizeof(float) / n) return -1;
  float *c = ck_scratch_take(m * n * sizeof(float));
  if (!c) return -1;
  gemm_job other = {.transpose_a = !job->transpose_b, .transpose_b = !job->transpose_a, .m = n, .n = m,
                    .k = job->k, .a = job->b, .b = job->a, .c = c, .lda = job->ldb, .ldb = job->lda, .ldc = m};
  int status = multiply(&other);
  for (size_t i = 0; i < m && status == 0; i++) {
    float *row = job->c + i * job->ldc;
    for (size_t j = 0; j < n; j++) {
      float sum = c[j * m + i];
      if (job->accumulate) sum += row[j];
      row[j] = job->bias ? sum + job->bias[j] : sum;
    }
    if (job->activation != CK_IDENTITY) ck_activate(job->activation, n, row);
  }
  ck_scratch_give(c);
  return status;
}

int ck_sgemm(int transpose_a, int transpose_b, size_t m, size_t n, size_t k, const float *a, size_t lda,
             const float *b, size_t ldb, float *c, size_t ldc, const float *bias, int activation,
             int accumulate) {
  if (m == 0 || n == 0) return 0;
  gemm_job job = {.transpose_a = transpose_a, .transpose_b = transpose_b, .activation = activation,
                  .accumulate = accumulate, .m = m, .n = n, .k = k, .a = a, .b = b, .bias = bias, .c = c,
                  .lda = lda, .ldb = ldb, .ldc = ldc};
  return n <= GEMM_NARROW && m > 2 * n ? multiply_transposed(&job) : multiply(&job);
}
