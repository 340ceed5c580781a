/*
 * Convolutions, ordinary and transposed: how pictures are laid out as the rows of a matrix and back, and what
 * training does with that. The sums are the matrix product's; dense.c and integer.c run trained layers.
 */
#include "internal.h"

#include <stdatomic.h>
#include <string.h>

/* Tasks that rows are cut into, whatever the number of threads, so that partial sums are always the same ones;
   and the floats that all of these may take. */
enum { CONVOLUTION_TASKS = 16, CONVOLUTION_SUMS = 1 << 24 };
/* Rows of a product below which packing its weights costs too much. */
enum { CONVOLUTION_ROWS = 256 };

CK_SMALL_BEGIN

size_t ck_fine_count(const ck_convolution *g) {
  return (size_t)g->fine_width * (size_t)g->fine_height * (size_t)g->fine_channels;
}

size_t ck_coarse_pixels(const ck_convolution *g) {
  return (size_t)g->coarse_width * (size_t)g->coarse_height;
}

size_t ck_column_count(const ck_convolution *g) {
  return (size_t)g->kernel * (size_t)g->kernel * (size_t)g->fine_channels;
}

size_t ck_row_count(const ck_convolution *g, int fine, size_t dense) {
  return g->kernel == 0 ? dense : fine ? ck_fine_count(g) : ck_coarse_pixels(g) * (size_t)g->coarse_channels;
}

/* What is done with each run of a window's row that lies in the picture. */
typedef enum walk_kind { WALK_COPY, WALK_ADD, WALK_ADD_SUMS } walk_kind;

/* Adds n numbers of columns to the picture; vectors of four, as every processor has them. */
#define ADD_RUN(type)                                                                                        \
  do {                                                                                                       \
    typedef type four __attribute__((vector_size(16), aligned(4)));                                          \
    type *p = (type *)inside;                                                                                \
    const type *q = (const type *)column;                                                                    \
    size_t i = 0;                                                                                            \
    for (; i + 4 <= n; i += 4)                                                                               \
      *(four *)(p + i) += *(const four *)(q + i);                                                            \
    for (; i < n; i++)                                                                                       \
      p[i] += q[i];                                                                                          \
  } while (0)

/* Goes over all windows, row by row, of a picture of numbers of `size` bytes. Copying leaves zeros in the columns
   for what lies outside. */
static void walk(const ck_convolution *g, walk_kind kind, size_t size, uint8_t *picture, uint8_t *columns) {
  const size_t pixel = (size_t)g->fine_channels * size, window = (size_t)g->kernel * pixel;
  for (int32_t y = 0; y < g->coarse_height; y++)
    for (int32_t x = 0; x < g->coarse_width; x++) {
      int32_t left = x * g->stride - g->padding, first = left < 0 ? -left : 0;
      int32_t end = g->fine_width - left < g->kernel ? g->fine_width - left : g->kernel;
      for (int32_t k = 0; k < g->kernel; k++, columns += window) {
        int32_t row = y * g->stride - g->padding + k;
        int within = row >= 0 && row < g->fine_height && end > first;
        if (kind == WALK_COPY && (!within || end - first < g->kernel))
          memset(columns, 0, window);
        if (!within)
          continue;
        uint8_t *inside = picture + ((size_t)row * (size_t)g->fine_width + (size_t)(left + first)) * pixel;
        uint8_t *column = columns + (size_t)first * pixel;
        size_t n = (size_t)(end - first) * (size_t)g->fine_channels;
        if (kind == WALK_COPY)
          memcpy(column, inside, n * size);
        else if (kind == WALK_ADD)
          ADD_RUN(float);
        else
          ADD_RUN(int32_t);
      }
    }
}

void ck_im2col(const ck_convolution *g, size_t size, const void *picture, void *columns) {
  walk(g, WALK_COPY, size, (uint8_t *)(uintptr_t)picture, columns);
}

void ck_col2im(const ck_convolution *g, const float *columns, float *picture) {
  walk(g, WALK_ADD, sizeof *picture, (uint8_t *)picture, (uint8_t *)(uintptr_t)columns);
}

void ck_col2im_sums(const ck_convolution *g, const int32_t *columns, int32_t *picture) {
  walk(g, WALK_ADD_SUMS, sizeof *picture, (uint8_t *)picture, (uint8_t *)(uintptr_t)columns);
}

void ck_fill_channels(size_t pixels, size_t channels, const float *bias, float *y) {
  for (size_t i = 0; i < pixels; i++)
    memcpy(y + i * channels, bias, channels * sizeof *y);
}

/* A layer on all rows of a batch, forward or backward. */
typedef struct convolution_job {
  const ck_convolution *g;
  size_t rows, tasks, weight_count, bias_count;
  const float *x, *weights, *bias, *dy;
  float *y, *dx, *sums;
  int activation;
  atomic_int refused;
} convolution_job;

/* What one task works on. */
typedef struct convolution_part {
  size_t first, end, together;
  size_t pixels, k, fine, coarse, coarse_channels;
  float *columns;
} convolution_part;

static int begin(convolution_job *job, size_t index, convolution_part *part) {
  const ck_convolution *g = job->g;
  part->first = job->rows * index / job->tasks;
  part->end = job->rows * (index + 1) / job->tasks;
  part->pixels = ck_coarse_pixels(g);
  part->k = ck_column_count(g);
  part->fine = ck_fine_count(g);
  part->coarse_channels = (size_t)g->coarse_channels;
  part->coarse = part->pixels * part->coarse_channels;
  part->together = (CONVOLUTION_ROWS + part->pixels - 1) / part->pixels;
  part->columns = ck_scratch_take(part->together * part->pixels * part->k * sizeof(float));
  if (!part->columns)
    atomic_store(&job->refused, 1);
  return part->columns != NULL;
}

static size_t rows_from(const convolution_part *part, size_t row) {
  return part->end - row < part->together ? part->end - row : part->together;
}

/* All pictures of fine pixels from `row` on as columns. */
static void lay_out(const convolution_job *job, const convolution_part *part, size_t row, const float *pictures) {
  for (size_t i = 0, n = rows_from(part, row); i < n; i++)
    ck_im2col(job->g, sizeof(float), pictures + (row + i) * part->fine, part->columns + i * part->pixels * part->k);
}

static void forward_task(void *context, size_t index) {
  convolution_job *job = context;
  convolution_part p;
  if (!begin(job, index, &p))
    return;
  int status = 0;
  for (size_t row = p.first, n; row < p.end; row += n) {
    n = rows_from(&p, row);
    if (!job->g->transposed) {
      lay_out(job, &p, row, job->x);
      status |= ck_sgemm(0, 1, n * p.pixels, p.coarse_channels, p.k, p.columns, p.k, job->weights, p.k,
                         job->y + row * p.coarse, p.coarse_channels, job->bias, job->activation, 0);
      continue;
    }
    status |= ck_sgemm(0, 1, n * p.pixels, p.k, p.coarse_channels, job->x + row * p.coarse, p.coarse_channels,
                       job->weights, p.coarse_channels, p.columns, p.k, NULL, CK_IDENTITY, 0);
    float *y = job->y + row * p.fine;
    ck_fill_channels(n * p.fine / job->bias_count, job->bias_count, job->bias, y);
    for (size_t i = 0; i < n; i++)
      ck_col2im(job->g, p.columns + i * p.pixels * p.k, y + i * p.fine);
    ck_activate(job->activation, n * p.fine, y);
  }
  ck_scratch_give(p.columns);
  if (status)
    atomic_store(&job->refused, 1);
}

static void backward_task(void *context, size_t index) {
  convolution_job *job = context;
  convolution_part p;
  if (!begin(job, index, &p))
    return;
  float *dw = job->sums + index * (job->weight_count + job->bias_count);
  int status = 0;
  for (size_t row = p.first, n; row < p.end; row += n) {
    n = rows_from(&p, row);
    size_t pixels = n * p.pixels, outputs = job->g->transposed ? p.fine : p.coarse;
    const float *dy = job->dy + row * outputs;
    ck_add_column_sums(n * outputs / job->bias_count, job->bias_count, dy, job->bias_count, dw + job->weight_count);
    if (!job->g->transposed) {
      const float *x = job->x + row * p.fine;
      lay_out(job, &p, row, job->x);
      status |= ck_sgemm(1, 0, p.coarse_channels, p.k, pixels, dy, p.coarse_channels, p.columns, p.k, dw, p.k, NULL,
                         CK_IDENTITY, 1);
      if (!job->dx)
        continue;
      status |= ck_sgemm(0, 0, pixels, p.k, p.coarse_channels, dy, p.coarse_channels, job->weights, p.k, p.columns,
                         p.k, NULL, CK_IDENTITY, 0);
      float *dx = job->dx + row * p.fine;
      memset(dx, 0, n * p.fine * sizeof *dx);
      for (size_t i = 0; i < n; i++)
        ck_col2im(job->g, p.columns + i * p.pixels * p.k, dx + i * p.fine);
      ck_activation_gradient(job->activation, n * p.fine, x, dx);
      continue;
    }
    const float *x = job->x + row * p.coarse;
    lay_out(job, &p, row, job->dy);
    status |= ck_sgemm(1, 0, p.k, p.coarse_channels, pixels, p.columns, p.k, x, p.coarse_channels, dw,
                       p.coarse_channels, NULL, CK_IDENTITY, 1);
    if (job->dx)
      status |= ck_sgemm_input_gradient(pixels, p.coarse_channels, p.k, p.columns, job->weights, x, job->activation,
                                        job->dx + row * p.coarse);
  }
  ck_scratch_give(p.columns);
  if (status)
    atomic_store(&job->refused, 1);
}

static void prepare(convolution_job *job) {
  const ck_convolution *g = job->g;
  job->weight_count = ck_column_count(g) * (size_t)g->coarse_channels;
  job->bias_count = (size_t)(g->transposed ? g->fine_channels : g->coarse_channels);
  job->tasks = CONVOLUTION_TASKS;
}

int ck_convolution_forward(const ck_convolution *g, size_t rows, const float *x, const float *weights,
                           const float *bias, int activation, float *y) {
  convolution_job job = {
      .g = g, .rows = rows, .x = x, .weights = weights, .bias = bias, .activation = activation, .y = y};
  prepare(&job);
  ck_parallel(job.tasks, forward_task, &job);
  return atomic_load(&job.refused) ? -1 : 0;
}

int ck_convolution_backward(const ck_convolution *g, size_t rows, const float *dy, const float *x,
                            const float *weights, int activation, float *dx, float *dw, float *db) {
  convolution_job job = {
      .g = g, .rows = rows, .x = x, .weights = weights, .activation = activation, .dy = dy, .dx = dx};
  prepare(&job);
  size_t count = job.weight_count + job.bias_count;
  while (job.tasks > 1 && count * job.tasks > CONVOLUTION_SUMS)
    job.tasks /= 2;
  job.sums = ck_scratch_take(job.tasks * count * sizeof(float));
  if (!job.sums)
    return -1;
  memset(job.sums, 0, job.tasks * count * sizeof(float));
  ck_parallel(job.tasks, backward_task, &job);
  for (size_t t = 1; t < job.tasks; t++)
    for (size_t i = 0; i < count; i++)
      job.sums[i] += job.sums[t * count + i];
  memcpy(dw, job.sums, job.weight_count * sizeof(float));
  memcpy(db, job.sums + job.weight_count, job.bias_count * sizeof(float));
  ck_scratch_give(job.sums);
  return atomic_load(&job.refused) ? -1 : 0;
}

CK_SMALL_END
