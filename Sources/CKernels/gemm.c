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

static void run(size_t count, void (*task)(void *, size_t), void *context, int alone) {
  if (!alone)
    ck_parallel(count, task, context);
  else
    for (size_t i = 0; i < count; i++) task(context, i);
}

static size_t divide_up(size_t a, size_t b) { return a / b + (a % b != 0); }

int ck_sgemm(int transpose_a, int transpose_b, size_t m, size_t n, size_t k, const float *a, size_t lda,
             const float *b, size_t ldb, float *c, size_t ldc, const float *bias, int activation,
             int accumulate) {
  if (m == 0 || n == 0) return 0;
  const gemm_kernels *kernel = kernels[ck_path()];
  size_t chunk = m < GEMM_ROWS ? m : GEMM_ROWS;
  if (k > SIZE_MAX / sizeof(float) / chunk) return -1;
  float *packed_a = ck_scratch_take(chunk * k * sizeof(float));
  if (!packed_a) return -1;
  gemm_job job = {.transpose_a = transpose_a, .transpose_b = transpose_b, .activation = activation,
                  .accumulate = accumulate, .n = n, .k = k, .b = b, .bias = bias,
                  .lda = lda, .ldb = ldb, .ldc = ldc};
  job.packed_a = packed_a;
  job.depth_blocks = k == 0 ? 1 : divide_up(k, GEMM_DEPTH);
  job.depth = divide_up(k, job.depth_blocks);
  job.panels = divide_up(n, kernel->columns);
  for (size_t first = 0; first < m; first += chunk) {
    job.m = m - first < chunk ? m - first : chunk;
    job.a = transpose_a ? a + first : a + first * lda;
    job.c = c + first * ldc;
    job.row_tiles = divide_up(job.m, kernel->rows);
    job.row_blocks = divide_up(job.m, GEMM_BLOCK_ROWS);
    int alone = (double)job.m * (double)n * (double)k < GEMM_ALONE;
    run(job.row_tiles, kernel->pack_a, &job, alone || job.m * k < 65536);
    run(job.panels * job.row_blocks, kernel->multiply, &job, alone);
  }
  ck_scratch_give(packed_a);
  return 0;
}
