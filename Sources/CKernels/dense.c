/*
 * Trained layers in floats, one after another, on one image or many: how weights are arranged and images
 * shared among threads. It stands beside the matrix product because weights that do not change are packed once
 * and a block of rows goes through all layers while it is in cache. The loops are in dense_template.h.
 */
#include "internal.h"

#include <stdatomic.h>
#include <string.h>

/* Outputs that packed weights are cut into: a cache line of them, so that whoever sums fewer than a layer has
   reads one line after another. */
enum { DENSE_BLOCK = 16 };
/* Outputs that all rows of a task go through before the next ones. */
enum { DENSE_GROUP = 64 };
/* Tiles of rows that a task takes through all layers, at most: with the weights of one block, what stays in
   the second-level cache. */
enum { DENSE_TILES = 8 };

/* A few rows by some blocks of outputs. */
typedef struct dense_tile {
  const float *x;
  float *y;
  size_t ldx, ldy, rows;
  /* The inputs to look at. */
  const uint16_t *list;
  size_t list_count;
  /* Blocks of weights, each [1 + inputs][DENSE_BLOCK], the biases first; floats from block to block, and how
     many outputs there are. */
  const float *weights;
  size_t stride, count;
} dense_tile;

typedef struct dense_kernels {
  size_t rows; /* of a full tile */
  size_t (*list)(const float *x, size_t ldx, size_t rows, size_t inputs, uint16_t *list);
  void (*tile)(const dense_tile *tile);
} dense_kernels;

#define CK_TEMPLATE "dense_template.h"
#include "each_path.h"

static const dense_kernels *const kernels[CK_PATH_COUNT] = CK_KERNELS(neon);

typedef struct dense_job {
  const ck_dense_layer *layers;
  size_t layer_count;
  const void *x;
  void *y;
  int x_form, y_form;
  size_t count, tasks;
  size_t widest, deepest;      /* floats of a row between two layers, inputs of a layer */
  size_t columns;              /* floats that a picture takes for a convolution: with margins, or in columns */
  atomic_size_t first_refused;  /* index of the first input that is not finite */
  atomic_size_t first_overflow; /* index of the first output that is not */
  atomic_int out_of_memory;
} dense_job;

/* [blocks of outputs][biases, then inputs][outputs of the block], zeros in the outputs that the last one lacks */
static void pack(size_t inputs, size_t outputs, const float *weights, const float *bias, float *packed) {
  for (size_t first = 0; first < outputs; first += DENSE_BLOCK) {
    size_t count = outputs - first < DENSE_BLOCK ? outputs - first : DENSE_BLOCK;
    memset(packed, 0, (inputs + 1) * DENSE_BLOCK * sizeof *packed);
    if (bias)
      memcpy(packed, bias + first, count * sizeof *packed);
    packed += DENSE_BLOCK;
    /* A few inputs at a time: what is written stays in cache while all outputs are read. */
    for (size_t i0 = 0; i0 < inputs; i0 += 16)
      for (size_t o = 0; o < count; o++)
        for (size_t i = i0; i < inputs && i < i0 + 16; i++)
          packed[i * DENSE_BLOCK + o] = weights[(first + o) * inputs + i];
    packed += inputs * DENSE_BLOCK;
  }
}

/* A layer's windows, or NULL if it has none. */
static struct ck_windows *windows_of(const ck_dense_layer *layer) {
  return ck_has_windows(&layer->convolution) ? layer->packed : NULL;
}

void ck_dense_prepare(ck_dense_layer *layer, const float *weights) {
  const ck_convolution *g = &layer->convolution;
  if (ck_has_windows(g)) {
    layer->packed = ck_windows_pack(g, weights, layer->bias);
  } else {
    layer->packed =
        ck_scratch_fresh(round_up(layer->outputs, DENSE_BLOCK) * (layer->inputs + 1) * sizeof(float));
    /* With col2im, biases are added to the picture. */
    if (layer->packed)
      pack(layer->inputs, layer->outputs, weights, g->kernel ? NULL : layer->bias, layer->packed);
  }
}

void ck_dense_release(ck_dense_layer *layer) {
  ck_scratch_give(layer->packed);
}

/* Remembers the first of the numbers that are not finite, whichever task comes first. */
static void remember(atomic_size_t *first, size_t index) {
  size_t seen = atomic_load(first);
  while (index < seen && !atomic_compare_exchange_weak(first, &seen, index))
    ;
}

/* One layer on the rows of a task. `lists` has DENSE_TILES lists of `deepest` numbers and a vector more. */
static void run_layer(const dense_job *job, const dense_kernels *kernel, const ck_dense_layer *layer,
                      dense_tile tile, size_t rows, uint16_t *lists) {
  size_t counts[DENSE_TILES], stride = job->deepest + 16, step = kernel->rows;
  const float *x = tile.x;
  float *y = tile.y;
  for (size_t first = 0, t = 0; first < rows; first += step, t++)
    counts[t] = kernel->list(x + first * tile.ldx, tile.ldx, rows - first < step ? rows - first : step,
                             layer->inputs, lists + t * stride);
  tile.stride = (layer->inputs + 1) * DENSE_BLOCK;
  for (size_t o = 0; o < layer->outputs; o += DENSE_GROUP) {
    tile.weights = (const float *)layer->packed + o * (layer->inputs + 1);
    tile.count = layer->outputs - o < DENSE_GROUP ? layer->outputs - o : DENSE_GROUP;
    for (size_t first = 0, t = 0; first < rows; first += step, t++) {
      tile.rows = rows - first < step ? rows - first : step;
      tile.x = x + first * tile.ldx;
      tile.y = y + first * tile.ldy + o;
      tile.list = lists + t * stride;
      tile.list_count = counts[t];
      kernel->tile(&tile);
    }
  }
  /* Rows lie one after another, but for less than a vector between them. */
  ck_activate(layer->activation, (rows - 1) * tile.ldy + layer->outputs, y);
}

/* A convolution on the rows of a task, picture by picture. In columns, the pixels are the rows of a dense layer, as many
   of them at a time as a task has rows otherwise. */
static void run_convolution(const dense_job *job, const dense_kernels *kernel, const ck_dense_layer *layer,
                            dense_tile tile, size_t rows, uint16_t *lists, float *columns) {
  const ck_convolution *g = &layer->convolution;
  ck_dense_layer dense = *layer;
  size_t pixels = ck_coarse_pixels(g), most = DENSE_TILES * kernel->rows, count = CK_ROW_OUTPUTS(layer);
  const struct ck_windows *windows = windows_of(layer);
  dense.activation = CK_IDENTITY;
  if (windows)
    memset(columns, 0, ck_windows_margins(windows) * sizeof *columns);
  for (size_t row = 0; row < rows; row++) {
    const float *x = tile.x + row * tile.ldx;
    float *y = tile.y + row * tile.ldy;
    if (windows) {
      ck_windows_run(windows, x, columns, y);
    } else {
      for (size_t first = 0; first < pixels; first += most) {
        dense_tile part = {.x = x + first * layer->inputs,
                           .ldx = layer->inputs,
                           .y = columns + first * layer->outputs,
                           .ldy = layer->outputs};
        run_layer(job, kernel, &dense, part, pixels - first < most ? pixels - first : most, lists);
      }
      ck_col2im(g, 0, columns, layer->bias, y);
    }
    ck_activate(layer->activation, count, y);
  }
}

/* Takes the rows of one task through all layers. */
static void task(void *context, size_t index) {
  dense_job *job = context;
  const dense_kernels *kernel = kernels[ck_path()];
  size_t tiles = (job->count + kernel->rows - 1) / kernel->rows;
  size_t row = tiles * index / job->tasks * kernel->rows, end = tiles * (index + 1) / job->tasks * kernel->rows;
  size_t rows = (end < job->count ? end : job->count) - row;
  size_t half = rows * job->widest, inputs = CK_ROW_INPUTS(job->layers);
  size_t outputs = CK_ROW_OUTPUTS(job->layers + job->layer_count - 1);
  float *memory = ck_scratch_take((2 * half + job->columns) * sizeof(float) +
                                  DENSE_TILES * (job->deepest + 16) * sizeof(uint16_t));
  if (!memory) {
    atomic_store(&job->out_of_memory, 1);
    return;
  }
  float *columns = memory + 2 * half;
  uint16_t *lists = (uint16_t *)(columns + job->columns);
  dense_tile tile = {.x = (const float *)job->x + row * inputs, .ldx = inputs};
  size_t next = 0;
  if (job->x_form == CK_ROWS_BYTES) {
    tile.x = memory;
    next = 1;
    ck_from_u8(rows * inputs, (const uint8_t *)job->x + row * inputs, memory);
  } else {
    size_t bad = ck_first_not_finite(rows * inputs, tile.x);
    if (bad < rows * inputs) {
      remember(&job->first_refused, row * inputs + bad);
      ck_scratch_give(memory);
      return;
    }
  }
  for (size_t l = 0; l < job->layer_count; l++) {
    int last = l + 1 == job->layer_count;
    if (last && job->y_form != CK_ROWS_BYTES) {
      tile.y = (float *)job->y + row * outputs;
      tile.ldy = outputs;
    } else {
      tile.y = memory + next * half;
      tile.ldy = last ? outputs : round_up(CK_ROW_OUTPUTS(job->layers + l), 16);
    }
    if (job->layers[l].convolution.kernel)
      run_convolution(job, kernel, job->layers + l, tile, rows, lists, columns);
    else
      run_layer(job, kernel, job->layers + l, tile, rows, lists);
    tile.x = tile.y;
    tile.ldx = tile.ldy;
    next ^= 1;
  }
  /* Before anything hides it: activations keep NaN, clamping does not. */
  size_t bad = ck_first_not_finite(rows * outputs, tile.y);
  if (bad < rows * outputs)
    remember(&job->first_overflow, row * outputs + bad);
  if (job->y_form == CK_ROWS_UNIT)
    ck_clamp_unit(rows * outputs, tile.y);
  if (job->y_form == CK_ROWS_BYTES)
    ck_to_u8(rows * outputs, tile.y, (uint8_t *)job->y + row * outputs);
  ck_scratch_give(memory);
}

int ck_dense_network(const ck_dense_layer *layers, size_t layer_count, size_t count, const void *x, int x_form,
                     void *y, int y_form, size_t *first_refused, size_t *first_overflow) {
  *first_refused = *first_overflow = SIZE_MAX;
  if (count == 0)
    return 0;
  dense_job job = {.layers = layers,
                   .layer_count = layer_count,
                   .x = x,
                   .y = y,
                   .x_form = x_form,
                   .y_form = y_form,
                   .count = count};
  atomic_init(&job.first_refused, SIZE_MAX);
  atomic_init(&job.first_overflow, SIZE_MAX);
  for (size_t l = 0; l < layer_count; l++) {
    const ck_convolution *g = &layers[l].convolution;
    size_t inputs = layers[l].inputs, outputs = CK_ROW_OUTPUTS(layers + l);
    const struct ck_windows *windows = windows_of(layers + l);
    size_t columns = windows ? ck_windows_margins(windows) : ck_coarse_pixels(g) * ck_column_count(g);
    columns = round_up(columns, 16);
    job.deepest = inputs > job.deepest ? inputs : job.deepest;
    job.widest = outputs > job.widest ? outputs : job.widest;
    job.columns = columns > job.columns ? columns : job.columns;
  }
  size_t first_inputs = CK_ROW_INPUTS(layers);
  job.widest = round_up(job.widest > first_inputs ? job.widest : first_inputs, 16);
  size_t rows = kernels[ck_path()]->rows, tiles = (count + rows - 1) / rows;
  size_t threads = (size_t)ck_thread_count();
  /* As few tasks as share the work evenly: each one reads all weights. */
  job.tasks = round_up((tiles + DENSE_TILES - 1) / DENSE_TILES, threads);
  job.tasks = job.tasks < tiles ? job.tasks : tiles;
  if (job.tasks == 1)
    task(&job, 0);
  else
    ck_parallel(job.tasks, task, &job);
  *first_refused = atomic_load(&job.first_refused);
  *first_overflow = atomic_load(&job.first_overflow);
  return atomic_load(&job.out_of_memory) ? -1 : 0;
}
