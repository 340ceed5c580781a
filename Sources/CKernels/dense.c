/*
 * Trained networks in floats, node by node, on one image or many: how weights are arranged and images
 * shared among threads. It stands beside the matrix product because weights that do not change are packed once
 * and a block of rows goes through all layers while it is in cache. The loops are in dense_template.h.
 */
#include "nodes.h"

#include <stdatomic.h>
#include <string.h>

/* Outputs that packed weights are cut into: a cache line of them, so that whoever sums fewer than a layer has
   reads one line after another. */
enum { DENSE_BLOCK = 16 };
/* Inputs that all rows of a task meet before the next ones, and those of a task with one tile: the weights that some
   outputs have for them stay in the first-level cache from tile to tile. */
enum { DENSE_DEPTH = 512, DENSE_ALONE_DEPTH = 2048 };
/* Tiles of rows that a task takes through all layers, at most: with the weights of one block, what stays in
   the second-level cache. */
enum { DENSE_TILES = 8 };
/* Numbers of the lists of a task: of some tiles by a piece of the inputs, each with a vector more. */
enum { DENSE_LISTS = DENSE_TILES * (DENSE_DEPTH + 16) };
_Static_assert(DENSE_LISTS >= DENSE_ALONE_DEPTH + 16, "the list of a tile alone");
/* Numbers that the rows of a task may have at a time, and those of a row from which a tile of rows is too many. */
enum { DENSE_NUMBERS = 1 << 24, DENSE_LARGE_ROW = 1 << 18 };
/* Nodes whose places need no memory from elsewhere. */
enum { DENSE_FEW_NODES = 16 };
/* Weights from which threads share the outputs of a layer on a few rows. */
enum { DENSE_SHARED = 1 << 15 };

/* A few rows by some blocks of outputs, and a piece of the inputs. */
typedef struct dense_tile {
  const float *x;
  float *y;
  size_t ldx, ldy, rows;
  /* The inputs to look at, from the piece's first on. */
  const uint16_t *list;
  size_t list_count, depth; /* inputs of the piece */
  /* Blocks of weights from the piece's first input on, each [inputs][DENSE_BLOCK], and floats from block to block. Before
     the first piece sums are the biases, then what is in y. */
  const float *weights, *bias;
  size_t stride, count; /* outputs */
  int activation;       /* after the last piece; CK_IDENTITY after the others */
} dense_tile;

typedef struct dense_kernels {
  size_t rows, width; /* of a full tile */
  size_t (*list)(const float *x, size_t ldx, size_t rows, size_t inputs, uint16_t *list);
  void (*tile)(const dense_tile *tile);
} dense_kernels;

#define CK_TEMPLATE "dense_template.h"
#include "each_path.h"

static const dense_kernels *const kernels[CK_PATH_COUNT] = CK_KERNELS(avx2, neon);

typedef struct dense_job {
  const ck_dense_layer *layers;
  size_t layer_count;
  const void *x;
  void *y;
  int x_form, y_form;
  size_t count, tasks, step;   /* rows; and those that tasks are cut at */
  const size_t *sizes, *offsets; /* floats of a row that each node gives, and where in a row's arena they are */
  size_t arena;                /* floats of a row between input and output */
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

/* A layer on a few tiles of rows, and what its outputs share. */
typedef struct layer_run {
  const dense_kernels *kernel;
  const ck_dense_layer *layer;
  dense_tile tile;
  size_t rows, first, depth, parts;
  const uint16_t *lists;
  size_t counts[DENSE_TILES];
} layer_run;

/* One part of the outputs, and a piece of the inputs. */
static void run_part(void *context, size_t index) {
  const layer_run *run = context;
  const ck_dense_layer *layer = run->layer;
  size_t step = run->kernel->rows, width = run->kernel->width;
  size_t groups = (layer->outputs + width - 1) / width;
  dense_tile tile = run->tile;
  size_t end = groups * (index + 1) / run->parts * width;
  for (size_t o = groups * index / run->parts * width; o < end; o += width) {
    tile.bias = (const float *)layer->packed + o * (layer->inputs + 1);
    tile.weights = tile.bias + (1 + run->first) * DENSE_BLOCK;
    if (run->first)
      tile.bias = NULL;
    tile.count = layer->outputs - o < width ? layer->outputs - o : width;
    for (size_t first = 0, t = 0; first < run->rows; first += step, t++) {
      tile.rows = run->rows - first < step ? run->rows - first : step;
      tile.x = run->tile.x + first * tile.ldx;
      tile.y = run->tile.y + first * tile.ldy + o;
      tile.list = run->lists + t * (run->depth + 16);
      tile.list_count = run->counts[t];
      run->kernel->tile(&tile);
    }
  }
}

/* One layer on the rows of a task. Threads share the outputs if there is no other task. `lists` has DENSE_LISTS. */
static void run_layer(const dense_job *job, const dense_kernels *kernel, const ck_dense_layer *layer,
                      dense_tile tile, size_t rows, uint16_t *lists) {
  size_t inputs = layer->inputs, step = kernel->rows;
  layer_run run = {.kernel = kernel, .layer = layer, .tile = tile, .rows = rows, .parts = 1, .lists = lists};
  if (job->tasks == 1 && rows <= step && inputs * layer->outputs >= DENSE_SHARED && ck_thread_count() > 1)
    run.parts = 2 * (size_t)ck_thread_count();
  size_t most = rows <= step ? DENSE_ALONE_DEPTH : DENSE_DEPTH, pieces = (inputs + most - 1) / most;
  run.depth = round_up((inputs + pieces - 1) / pieces, 16);
  run.tile.stride = (inputs + 1) * DENSE_BLOCK;
  for (; run.first < inputs; run.first += run.depth) {
    size_t depth = inputs - run.first < run.depth ? inputs - run.first : run.depth;
    run.tile.x = tile.x + run.first;
    run.tile.depth = depth;
    run.tile.activation = run.first + depth == inputs ? layer->activation : CK_IDENTITY;
    for (size_t first = 0, t = 0; first < rows; first += step, t++)
      run.counts[t] = kernel->list(run.tile.x + first * tile.ldx, tile.ldx, rows - first < step ? rows - first : step,
                                   depth, lists + t * (run.depth + 16));
    if (run.parts > 1)
      ck_parallel(run.parts, run_part, &run);
    else
      run_part(&run, 0);
  }
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
  size_t tiles = (job->count + job->step - 1) / job->step;
  size_t row = tiles * index / job->tasks * job->step, end = tiles * (index + 1) / job->tasks * job->step;
  size_t rows = (end < job->count ? end : job->count) - row;
  size_t inputs = CK_ROW_INPUTS(job->layers), outputs = CK_ROW_OUTPUTS(job->layers + job->layer_count - 1);
  size_t arena = rows * job->arena, own = job->x_form == CK_ROWS_BYTES ? round_up(rows * inputs, 16) : 0;
  float *memory = ck_scratch_take((arena + own + job->columns) * sizeof(float) + DENSE_LISTS * sizeof(uint16_t));
  if (!memory) {
    atomic_store(&job->out_of_memory, 1);
    return;
  }
  float *columns = memory + arena + own, *y = NULL;
  uint16_t *lists = (uint16_t *)(columns + job->columns);
  const float *input = (const float *)job->x + row * inputs;
  if (job->x_form == CK_ROWS_BYTES) {
    ck_from_u8(rows * inputs, (const uint8_t *)job->x + row * inputs, memory + arena);
    input = memory + arena;
  } else {
    size_t bad = ck_first_not_finite(rows * inputs, input);
    if (bad < rows * inputs) {
      remember(&job->first_refused, row * inputs + bad);
      ck_scratch_give(memory);
      return;
    }
  }
  for (size_t l = 0; l < job->layer_count; l++) {
    const ck_dense_layer *layer = job->layers + l;
    int last = l + 1 == job->layer_count;
    const float *x[2];
    size_t ldx[2];
    for (int i = 0; i < 2; i++) {
      size_t back = (size_t)layer->node.back[i] + 1;
      x[i] = back > l ? input : memory + rows * job->offsets[l - back];
      ldx[i] = back > l ? inputs : job->sizes[l - back];
    }
    dense_tile tile = {.x = x[0], .ldx = ldx[0], .y = memory + rows * job->offsets[l], .ldy = job->sizes[l]};
    if (last) {
      tile.ldy = outputs;
      if (job->y_form != CK_ROWS_BYTES)
        tile.y = (float *)job->y + row * outputs;
    }
    if (layer->node.operation != CK_LAYER)
      for (size_t r = 0; r < rows; r++)
        ck_node_row(layer, x[0] + r * ldx[0], x[1] + r * ldx[1], tile.y + r * tile.ldy);
    else if (layer->convolution.kernel)
      run_convolution(job, kernel, layer, tile, rows, lists, columns);
    else
      run_layer(job, kernel, layer, tile, rows, lists);
    y = tile.y;
  }
  /* Before anything hides it: activations keep NaN, clamping does not. */
  size_t bad = ck_first_not_finite(rows * outputs, y);
  if (bad < rows * outputs)
    remember(&job->first_overflow, row * outputs + bad);
  if (job->y_form == CK_ROWS_UNIT)
    ck_clamp_unit(rows * outputs, y);
  if (job->y_form == CK_ROWS_BYTES)
    ck_to_u8(rows * outputs, y, (uint8_t *)job->y + row * outputs);
  ck_scratch_give(memory);
}

static const ck_node *node_of(const void *layers, size_t index) {
  return &((const ck_dense_layer *)layers)[index].node;
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
  size_t few[2 * DENSE_FEW_NODES], *sizes = few, *taken = NULL;
  if (layer_count > DENSE_FEW_NODES) {
    sizes = taken = ck_scratch_take(2 * layer_count * sizeof *sizes);
    if (!taken)
      return -1;
  }
  size_t *offsets = sizes + layer_count;
  for (size_t l = 0; l < layer_count; l++) {
    const ck_convolution *g = &layers[l].convolution;
    sizes[l] = round_up(CK_ROW_OUTPUTS(layers + l), 16);
    if (layers[l].node.operation != CK_LAYER)
      continue;
    const struct ck_windows *windows = windows_of(layers + l);
    size_t columns = windows ? ck_windows_margins(windows) : ck_coarse_pixels(g) * ck_column_count(g);
    columns = round_up(columns, 16);
    job.columns = columns > job.columns ? columns : job.columns;
  }
  job.sizes = sizes;
  job.offsets = offsets;
  job.arena = ck_plan(layer_count, node_of, layers, sizes, offsets);
  size_t rows = kernels[ck_path()]->rows;
  job.step = job.arena < DENSE_LARGE_ROW ? rows : 1;
  size_t tiles = (count + job.step - 1) / job.step, threads = (size_t)ck_thread_count();
  /* As few tasks as share the work evenly: each one reads all weights. */
  size_t most = DENSE_NUMBERS / (job.arena + 1) / job.step;
  most = most < 1 ? 1 : most > DENSE_TILES ? DENSE_TILES : most;
  job.tasks = round_up((tiles + most - 1) / most, threads);
  job.tasks = job.tasks < tiles ? job.tasks : tiles;
  if (job.tasks == 1)
    task(&job, 0);
  else
    ck_parallel(job.tasks, task, &job);
  ck_scratch_give(taken);
  *first_refused = atomic_load(&job.first_refused);
  *first_overflow = atomic_load(&job.first_overflow);
  return atomic_load(&job.out_of_memory) ? -1 : 0;
}
