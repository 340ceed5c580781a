/*
 * Convolutions, ordinary and transposed. Layers in floats, trained or in training, read windows in place (implicit
 * GEMM): the passes are planned here, the loops are in convolution_template.h. Trained layers in integers (integer.c)
 * and layers of few channels (dense.c) use im2col and col2im.
 *
 * A transposed convolution is stride squared convolutions, one for each output phase.
 */
#include "internal.h"

#include <stdatomic.h>
#include <string.h>

/* Tasks that rows are cut into, whatever the number of threads, so that partial sums are always the same ones;
   and the floats that all of these may take. */
enum { CONVOLUTION_TASKS = 16, CONVOLUTION_SUMS = 1 << 24 };
/* Rows of a product below which packing its weights costs too much. */
enum { CONVOLUTION_ROWS = 256 };
/* Numbers of a window in one piece: its weights are used for all pixels before those of the next piece. */
enum { WINDOW_PIECE = 256 };
/* Channels below which col2im is used instead of reading windows. */
enum { WINDOW_CHANNELS = 4 };
enum { GRADIENT_ROWS = 8 };

size_t ck_fine_count(const ck_convolution *g) {
  return (size_t)g->fine_width * (size_t)g->fine_height * (size_t)g->fine_channels;
}

size_t ck_coarse_pixels(const ck_convolution *g) {
  return (size_t)g->coarse_width * (size_t)g->coarse_height;
}

size_t ck_column_count(const ck_convolution *g) {
  return (size_t)g->kernel * (size_t)g->kernel * (size_t)g->fine_channels;
}

size_t ck_row_count(const ck_node *node, const ck_convolution *g, int fine, size_t dense) {
  return g->kernel == 0 || node->operation != CK_LAYER ? dense : fine ? ck_fine_count(g) : ck_coarse_pixels(g) * (size_t)g->coarse_channels;
}

/* Copies n numbers of four bytes, few of them: a call of memcpy takes longer. */
static inline void copy_few(size_t n, const uint8_t *from, uint8_t *to) {
  typedef int32_t four __attribute__((vector_size(16), aligned(1)));
  for (; n >= 4; n -= 4, from += 16, to += 16)
    *(four *)to = *(const four *)from;
  for (; n > 0; n--, from += 4, to += 4)
    memcpy(to, from, 4);
}

/* What to do with the part of a window's row that is inside the picture. */
typedef enum walk_kind { WALK_COPY, WALK_ADD, WALK_ADD_INTEGERS } walk_kind;

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

/* Visits all windows, row by row, of a picture of numbers of `size` bytes. Copying writes zeros for positions outside
   the picture. */
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
        if (kind == WALK_COPY && size == 4 && n <= 16)
          copy_few(n, inside, column);
        else if (kind == WALK_COPY)
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

void ck_col2im(const ck_convolution *g, int integers, const void *columns, const void *bias, void *picture) {
  size_t channels = (size_t)g->fine_channels * sizeof(float), size = ck_fine_count(g) * sizeof(float);
  for (size_t i = 0; i < size; i += channels)
    memcpy((uint8_t *)picture + i, bias, channels);
  walk(g, integers ? WALK_ADD_INTEGERS : WALK_ADD, sizeof(float), picture, (uint8_t *)(uintptr_t)columns);
}

/* ---- Windows read in place ---- */

/* The sums of all channels of `count` pixels. */
typedef struct window_job {
  /* Where each pixel's window begins in x and its numbers in y. */
  const float *x;
  float *y;
  const uint32_t *from, *to;
  size_t count;
  /* A window is so many runs of so many numbers. */
  size_t taps, run, row_step;
  /* Runs of a piece whose weights stay in the first-level cache. */
  size_t together;
  /* Block by block of two vectors of channels: biases, then weights [taps][run][channels]. */
  const float *packed;
  size_t channels;
} window_job;

/* Some of a window's runs; the first piece begins with the biases, the others with what is in y. */
typedef struct window_piece {
  size_t first, taps;
  const float *bias, *weights;
} window_piece;

/* What `count` coarse pixels add to the gradient of the weights. */
typedef struct gradient_job {
  /* Where each pixel's window begins in x; it is read a little too far. */
  const float *x;
  const uint32_t *from;
  /* Block by block of channels that are summed together: [count][channels of a block]. */
  const float *coarse;
  size_t count, taps, run, row_step, channels;
  /* [channels][taps][run], channels and runs rounded up to whole tiles. */
  float *sums;
} gradient_job;

typedef struct window_kernels {
  size_t width; /* channels of a block of weights, and numbers of a tile of their gradient */
  void (*windows)(const window_job *job);
  size_t rows; /* channels of a tile of the gradient, at most GRADIENT_ROWS */
  void (*gradient)(const gradient_job *job);
} window_kernels;

#define CK_TEMPLATE "convolution_template.h"
#include "each_path.h"

static const window_kernels *const kernels[CK_PATH_COUNT] = CK_KERNELS(avx2, neon);

/* One axis of the pictures that are read (source) and written (target). When going up, from coarse to fine, the target
   pixels phase, phase + phases, ... use the same part of the window. */
typedef struct window_axis {
  int32_t source, target, phases, low, padded;
} window_axis;

/* The receptive field of pixel p on an axis: `count` pixels from `low` on. The first one has index `last` in the window,
   and each next one the index `step` further. */
typedef struct window_span {
  int32_t low, count, last;
} window_span;

static __attribute__((noinline)) window_span span_of(const ck_convolution *g, int up, int32_t p) {
  if (!up)
    return (window_span){p * g->stride - g->padding, g->kernel, 0};
  int32_t rest = (p + g->padding) % g->stride, top = (p + g->padding) / g->stride;
  int32_t count = rest < g->kernel ? (g->kernel - 1 - rest) / g->stride + 1 : 0;
  return (window_span){top - (count - 1), count, rest + (count - 1) * g->stride};
}

static __attribute__((noinline)) window_axis axis_of(const ck_convolution *g, int up, int32_t fine, int32_t coarse) {
  window_axis axis = {up ? coarse : fine, up ? fine : coarse, up ? g->stride : 1, 0, 0};
  int32_t end = axis.source;
  for (int32_t p = 0; p < axis.target; p++) {
    window_span span = span_of(g, up, p);
    axis.low = span.low < axis.low ? span.low : axis.low;
    end = span.low + span.count > end ? span.low + span.count : end;
  }
  axis.padded = end - axis.low;
  return axis;
}

/* Strides of the weights: from one pixel of the window, one source channel and one target channel to the next. */
typedef struct window_strides {
  size_t pixel, source, target;
} window_strides;

/* One pass, shared by its tasks: from pictures of `source` channels to pictures of `target` channels. */
typedef struct ck_windows {
  const window_kernels *kernels; /* of the path that weights are packed for */
  window_axis x, y;
  size_t source, target;
  int32_t step; /* from one pixel of the window that is read to the next */
  window_strides strides;
  size_t padded; /* numbers of a picture with the margin of zeros that windows reach into */
  size_t phases;
  window_job *jobs;    /* [phases], of `together` pictures */
  size_t *per_picture; /* [phases], pixels */
} window_pass;

/* Packs the weights of one phase, block by block of `width` channels. Returns their end. */
static __attribute__((noinline)) float *pack_weights(const ck_convolution *g, const window_pass *pass,
                                                     window_span y, window_span x, size_t width,
                                                     const float *weights, const float *bias, float *next) {
  window_strides at = pass->strides;
  for (size_t channel = 0; channel < pass->target; channel += width) {
    size_t count = pass->target - channel < width ? pass->target - channel : width;
    memset(next, 0, ((size_t)(y.count * x.count) * pass->source + 1) * width * sizeof *next);
    if (bias)
      memcpy(next, bias + channel, count * sizeof *next);
    next += width;
    for (int32_t i = 0, row = y.last; i < y.count; i++, row += pass->step)
      for (int32_t j = 0, column = x.last; j < x.count; j++, column += pass->step) {
        const float *from = weights + (size_t)(row * g->kernel + column) * at.pixel + channel * at.target;
        for (size_t s = 0; s < pass->source; s++, from += at.source, next += width)
          for (size_t t = 0; t < count; t++)
            next[t] = from[t * at.target];
      }
  }
  return next;
}

/* Prepares the pass from fine to coarse pictures or, `up`, from coarse to fine ones; without weights, only the offsets of
   windows. Returns NULL if `take` refuses memory; ck_scratch_give frees it. */
static window_pass *prepare_pass(const ck_convolution *g, int up, size_t together, const float *weights,
                                 const float *bias, void *(*take)(size_t)) {
  size_t fine_channels = (size_t)g->fine_channels, coarse_channels = (size_t)g->coarse_channels;
  window_pass pass = {.kernels = kernels[ck_path()],
                      .x = axis_of(g, up, g->fine_width, g->coarse_width),
                      .y = axis_of(g, up, g->fine_height, g->coarse_height),
                      .source = fine_channels,
                      .target = coarse_channels,
                      .step = 1,
                      .strides = {fine_channels, 1, ck_column_count(g)}};
  if (g->transposed)
    pass.strides = (window_strides){fine_channels * coarse_channels, coarse_channels, 1};
  if (up) {
    pass.source = coarse_channels;
    pass.target = fine_channels;
    pass.step = -g->stride;
    size_t source = pass.strides.source;
    pass.strides.source = pass.strides.target;
    pass.strides.target = source;
  }
#if defined(__x86_64__)
  /* The widest tiles would be half empty; the results are the same. */
  if (ck_path() == CK_PATH_AVX512 && pass.target <= 16)
    pass.kernels = kernels[CK_PATH_AVX2];
#endif
  size_t width = pass.kernels->width;
  size_t wide = (size_t)pass.x.padded * pass.source;
  pass.padded = wide * (size_t)pass.y.padded;
  pass.phases = (size_t)(pass.x.phases * pass.y.phases);
  size_t pixels = (size_t)pass.x.target * (size_t)pass.y.target;
  /* Every pixel of the window belongs to one phase. */
  size_t floats = (size_t)(g->kernel * g->kernel) * pass.source + pass.phases;
  floats *= pass.target + width;
  window_pass *shared = take(sizeof pass + pass.phases * (sizeof(window_job) + sizeof(size_t)) +
                             2 * together * pixels * sizeof(uint32_t) + floats * sizeof(float));
  if (!shared)
    return NULL;
  pass.jobs = (window_job *)(shared + 1);
  pass.per_picture = (size_t *)(pass.jobs + pass.phases);
  uint32_t *table = (uint32_t *)(pass.per_picture + pass.phases);
  float *packed = (float *)(table + 2 * together * pixels);
  for (int32_t phase = 0; phase < (int32_t)pass.phases; phase++) {
    int32_t y0 = phase / pass.x.phases, x0 = phase % pass.x.phases;
    window_span ys = span_of(g, up, y0), xs = span_of(g, up, x0);
    window_job *job = pass.jobs + phase;
    uint32_t *from = table, *to = table + together * pixels;
    for (size_t i = 0; i < together; i++)
      for (int32_t y = y0; y < pass.y.target; y += pass.y.phases)
        for (int32_t x = x0; x < pass.x.target; x += pass.x.phases) {
          size_t row = (size_t)(span_of(g, up, y).low - pass.y.low);
          size_t column = (size_t)(span_of(g, up, x).low - pass.x.low);
          *from++ = (uint32_t)(i * pass.padded + row * wide + column * pass.source);
          *to++ = (uint32_t)((i * pixels + (size_t)(y * pass.x.target + x)) * pass.target);
        }
    *job = (window_job){.from = table, .to = table + together * pixels, .row_step = wide, .packed = packed};
    job->taps = (size_t)ys.count;
    job->run = (size_t)xs.count * pass.source;
    job->together = job->run ? 1 + (WINDOW_PIECE - 1) / job->run : 1;
    job->channels = pass.target;
    pass.per_picture[phase] = (size_t)(from - table) / together;
    table = from;
    if (weights)
      packed = pack_weights(g, &pass, ys, xs, width, weights, bias, packed);
  }
  *shared = pass;
  return shared;
}

/* Copies n pictures into buffers padded with zeros. */
static void fill_margins(const window_pass *pass, size_t n, const float *from, float *margins) {
  size_t row = (size_t)pass->x.source * pass->source, wide = (size_t)pass->x.padded * pass->source;
  /* Windows reach to the left and upwards: `low` is not above 0. */
  size_t left = (size_t)-pass->x.low * pass->source, above = (size_t)-pass->y.low;
  for (size_t i = 0; i < n; i++)
    for (size_t y = 0; y < (size_t)pass->y.source; y++, from += row)
      memcpy(margins + i * pass->padded + (y + above) * wide + left, from, row * sizeof *from);
}

/* Runs a pass over n padded pictures in `margins`. */
static void run_pass(const window_pass *pass, size_t n, const float *margins, float *to) {
  for (size_t phase = 0; phase < pass->phases; phase++) {
    window_job job = pass->jobs[phase];
    job.x = margins;
    job.y = to;
    job.count = n * pass->per_picture[phase];
    pass->kernels->windows(&job);
  }
}

/* ---- A trained layer ---- */

int ck_has_windows(const ck_convolution *g) {
  return g->kernel && (!g->transposed || g->fine_channels >= WINDOW_CHANNELS);
}

struct ck_windows *ck_windows_pack(const ck_convolution *g, const float *weights, const float *bias) {
  return prepare_pass(g, g->transposed, 1, weights, bias, ck_scratch_fresh);
}

size_t ck_windows_margins(const struct ck_windows *windows) {
  return windows->padded;
}

void ck_windows_run(const struct ck_windows *windows, const float *x, float *margins, float *y) {
  fill_margins(windows, 1, x, margins);
  run_pass(windows, 1, margins, y);
}

/* ---- A layer on all rows of a batch, forward or backward ---- */

typedef struct convolution_job {
  const ck_convolution *g;
  size_t rows, tasks, bias_count;
  size_t inputs, outputs, pixels, k, fine, coarse_channels;
  size_t together; /* pictures at a time */
  const float *x, *weights, *bias, *dy;
  float *y, *dx, *sums;
  int activation;
  /* From x to y, or from dy to dx; NULL where columns are added up instead, or there is nothing to make. */
  window_pass *pass;
  /* Where the windows lie that weights meet in the gradient: of `pass` if that reads the same ones. NULL: in
     columns. */
  window_pass *windows;
  size_t sum_count; /* numbers of a task's sums of the gradient, the biases' last */
  /* Floats of a task for columns, margins of both passes and packed channels. */
  size_t columns, margins, window_margins, packed;
  uint32_t *table; /* of windows in columns */
  atomic_int refused;
} convolution_job;

/* What one task works on. */
typedef struct convolution_part {
  size_t first, end;
  float *columns, *margins, *window_margins, *packed;
} convolution_part;

static int begin(convolution_job *job, size_t index, convolution_part *part) {
  part->first = job->rows * index / job->tasks;
  part->end = job->rows * (index + 1) / job->tasks;
  size_t count = job->columns + job->margins + job->window_margins + job->packed;
  part->columns = ck_scratch_take(count * sizeof(float));
  if (!part->columns) {
    atomic_store(&job->refused, 1);
    return 0;
  }
  part->margins = part->columns + job->columns;
  part->window_margins = part->margins + job->margins;
  part->packed = part->window_margins + job->window_margins;
  memset(part->columns, 0, count * sizeof(float));
  return 1;
}

static size_t rows_from(const convolution_job *job, const convolution_part *part, size_t row) {
  return part->end - row < job->together ? part->end - row : job->together;
}

static void forward_task(void *context, size_t index) {
  convolution_job *job = context;
  convolution_part p;
  if (!begin(job, index, &p))
    return;
  int status = 0;
  for (size_t row = p.first, n; row < p.end; row += n) {
    n = rows_from(job, &p, row);
    const float *x = job->x + row * job->inputs;
    float *y = job->y + row * job->outputs;
    if (job->pass) {
      fill_margins(job->pass, n, x, p.margins);
      run_pass(job->pass, n, p.margins, y);
    } else {
      status |= ck_sgemm(0, 1, n * job->pixels, job->k, job->coarse_channels, x, job->coarse_channels, job->weights,
                         job->coarse_channels, p.columns, job->k, NULL, CK_IDENTITY, 0);
      for (size_t i = 0; i < n; i++)
        ck_col2im(job->g, 0, p.columns + i * job->pixels * job->k, job->bias, y + i * job->outputs);
    }
    ck_activate(job->activation, n * job->outputs, y);
  }
  ck_scratch_give(p.columns);
  if (status)
    atomic_store(&job->refused, 1);
}

/* Packs channels block by block of `rows`: [block][pixel][rows]. Those that the last block lacks hold anything. `to` has
   room for GRADIENT_ROWS more, which is how many are copied while there are as many. */
static void pack_channels(size_t pixels, size_t channels, size_t rows, const float *from, float *to) {
  size_t end = pixels * channels;
  for (size_t c = 0; c < channels; c += rows) {
    size_t pixel = c;
    for (; pixel + GRADIENT_ROWS <= end; pixel += channels, to += rows)
      memcpy(to, from + pixel, GRADIENT_ROWS * sizeof *to);
    for (; pixel < end; pixel += channels, to += rows)
      for (size_t r = 0; r < rows && pixel + r < end; r++)
        to[r] = from[pixel + r];
  }
}

/* Adds n pictures to the gradient of the weights. */
static void add_gradient(convolution_job *job, const convolution_part *p, size_t n, const float *fine,
                         const float *coarse, float *sums) {
  const window_kernels *kernel = kernels[ck_path()];
  size_t pixels = n * job->pixels;
  gradient_job gradient = {.coarse = p->packed, .count = pixels, .channels = job->coarse_channels, .sums = sums};
  if (job->windows) {
    gradient.x = job->windows == job->pass ? p->margins : p->window_margins;
    gradient.from = job->windows->jobs->from;
    gradient.taps = (size_t)job->g->kernel;
    gradient.run = job->windows->jobs->run;
    gradient.row_step = job->windows->jobs->row_step;
  } else {
    for (size_t i = 0; i < n; i++)
      ck_im2col(job->g, sizeof(float), fine + i * job->fine, p->columns + i * job->pixels * job->k);
    gradient.x = p->columns;
    gradient.from = job->table;
    gradient.taps = 1;
    gradient.run = job->k;
  }
  pack_channels(pixels, job->coarse_channels, kernel->rows, coarse, p->packed);
  kernel->gradient(&gradient);
}

static void backward_task(void *context, size_t index) {
  convolution_job *job = context;
  convolution_part p;
  if (!begin(job, index, &p))
    return;
  float *sums = job->sums + index * job->sum_count, *db = sums + job->sum_count - job->bias_count;
  int transposed = job->g->transposed;
  for (size_t row = p.first, n; row < p.end; row += n) {
    n = rows_from(job, &p, row);
    const float *dy = job->dy + row * job->outputs, *x = job->x + row * job->inputs;
    const float *fine = transposed ? dy : x;
    ck_add_column_sums(n * job->outputs / job->bias_count, job->bias_count, dy, job->bias_count, db);
    if (job->pass)
      fill_margins(job->pass, n, dy, p.margins);
    if (job->windows && job->windows != job->pass)
      fill_margins(job->windows, n, fine, p.window_margins);
    add_gradient(job, &p, n, fine, transposed ? x : dy, sums);
    if (!job->pass)
      continue;
    float *dx = job->dx + row * job->inputs;
    run_pass(job->pass, n, p.margins, dx);
    ck_activation_gradient(job->activation, n * job->inputs, x, dx);
  }
  ck_scratch_give(p.columns);
}

static void prepare(convolution_job *job) {
  const ck_convolution *g = job->g;
  job->tasks = CONVOLUTION_TASKS;
  job->pixels = ck_coarse_pixels(g);
  job->k = ck_column_count(g);
  job->fine = ck_fine_count(g);
  job->coarse_channels = (size_t)g->coarse_channels;
  size_t coarse = job->pixels * job->coarse_channels;
  job->inputs = g->transposed ? coarse : job->fine;
  job->outputs = g->transposed ? job->fine : coarse;
  job->bias_count = (size_t)(g->transposed ? g->fine_channels : g->coarse_channels);
  job->together = (CONVOLUTION_ROWS + job->pixels - 1) / job->pixels;
}

int ck_convolution_forward(const ck_convolution *g, size_t rows, const float *x, const float *weights,
                           const float *bias, int activation, float *y) {
  convolution_job job = {
      .g = g, .rows = rows, .x = x, .weights = weights, .bias = bias, .activation = activation, .y = y};
  prepare(&job);
  /* With few target channels, vectors would be nearly empty. */
  if (ck_has_windows(g)) {
    job.pass = prepare_pass(g, g->transposed, job.together, weights, bias, ck_scratch_take);
    if (!job.pass)
      return -1;
    job.margins = job.together * job.pass->padded;
  } else {
    job.columns = job.together * job.pixels * job.k;
  }
  ck_parallel(job.tasks, forward_task, &job);
  ck_scratch_give(job.pass);
  return atomic_load(&job.refused) ? -1 : 0;
}

int ck_convolution_backward(const ck_convolution *g, size_t rows, const float *dy, const float *x,
                            const float *weights, int activation, float *dx, float *dw, float *db) {
  convolution_job job = {
      .g = g, .rows = rows, .x = x, .weights = weights, .activation = activation, .dy = dy, .dx = dx};
  prepare(&job);
  const window_kernels *kernel = kernels[ck_path()];
  int in_columns = g->fine_channels < WINDOW_CHANNELS, failed = 0;
  size_t channels = round_up(job.coarse_channels, kernel->rows), pixels = job.together * job.pixels;
  size_t taps = in_columns ? 1 : (size_t)g->kernel, run = job.k / taps, padded_run = round_up(run, kernel->width);
  job.sum_count = channels * taps * padded_run + job.bias_count;
  while (job.tasks > 1 && job.sum_count * job.tasks > CONVOLUTION_SUMS)
    job.tasks /= 2;
  job.packed = channels * pixels + GRADIENT_ROWS;
  job.sums = ck_scratch_take(job.tasks * job.sum_count * sizeof(float) + (in_columns ? pixels * sizeof(uint32_t) : 0));
  failed |= !job.sums;
  if (dx) {
    job.pass = prepare_pass(g, !g->transposed, job.together, weights, NULL, ck_scratch_take);
    failed |= !job.pass;
  }
  /* The last tile of the gradient reads whole vectors, past the end of its rows. */
  if (in_columns) {
    job.columns = pixels * job.k + kernel->width;
    job.table = (uint32_t *)(job.sums + job.tasks * job.sum_count);
    for (size_t i = 0; !failed && i < pixels; i++)
      job.table[i] = (uint32_t)(i * job.k);
  } else {
    job.windows = g->transposed && job.pass ? job.pass : prepare_pass(g, 0, job.together, NULL, NULL, ck_scratch_take);
    failed |= !job.windows;
  }
  if (!failed) {
    if (job.pass)
      job.margins = job.together * job.pass->padded + kernel->width;
    if (job.windows && job.windows != job.pass)
      job.window_margins = job.together * job.windows->padded + kernel->width;
    memset(job.sums, 0, job.tasks * job.sum_count * sizeof(float));
    ck_parallel(job.tasks, backward_task, &job);
    for (size_t t = 1; t < job.tasks; t++)
      for (size_t i = 0; i < job.sum_count; i++)
        job.sums[i] += job.sums[t * job.sum_count + i];
    /* Weights have the layout of the sums, or are transposed. */
    size_t step = g->transposed ? job.coarse_channels : 1, channel = g->transposed ? 1 : job.k;
    const float *sum = job.sums;
    for (size_t c = 0; c < job.coarse_channels; c++) {
      float *to = dw + c * channel;
      for (size_t t = 0; t < taps; t++, sum += padded_run)
        for (size_t i = 0; i < run; i++, to += step)
          *to = sum[i];
    }
    memcpy(db, job.sums + job.sum_count - job.bias_count, job.bias_count * sizeof(float));
  }
  ck_scratch_give(job.sums);
  if (job.windows != job.pass)
    ck_scratch_give(job.windows);
  ck_scratch_give(job.pass);
  return failed || atomic_load(&job.refused) ? -1 : 0;
}
