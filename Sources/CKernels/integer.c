/*
 * Layers in integers: how weights are arranged and images shared among threads. The sums are in
 * integer_template.h; every path gives the same ones, because integer addition does not round.
 */
#include "internal.h"

#include <stdatomic.h>
#include <string.h>

enum { INTEGER_BYTES, INTEGER_WORDS, INTEGER_SUMS, INTEGER_FLOATS };
/* Outputs of a tile; and those that packed weights are cut into, of which a group of four inputs is a cache line,
   so that whoever sums fewer than a tile reads one line after another. */
enum { INTEGER_TILE = 64, INTEGER_BLOCK = 16 };
/* Inputs that one list of groups can hold. */
enum { INTEGER_DEPTH = 1024 };
/* The largest tile's images. */
enum { INTEGER_IMAGES = 6 };
/* Tiles that a task takes through all layers, so that what lies between two layers stays in cache; and the
   tasks to have for each thread, so that none waits long for the last one. */
enum { INTEGER_TILES = 8, INTEGER_TASKS = 8 };
/* Bytes between two layers that need no memory from elsewhere: two of an image's widest rows. */
enum { INTEGER_STACK = 8192 };

/* Layers on all images of a call. */
typedef struct integer_job {
  const ck_integer_layer *layers;
  size_t layer_count, widest;
  const void *x;
  void *y;
  const float *scales;
  size_t count, task_images;
  int wide; /* x is words */
  int kind; /* of y */
  atomic_int refused;
} integer_job;

/* One layer on a few images: at most as many as the kernels' full tile. */
typedef struct integer_tile {
  const ck_integer_layer *layer;
  size_t images;
  const void *x;
  void *y;
  const float *scales;
  int wide, kind;
} integer_tile;

/* The groups of four inputs that a tile has to look at, and each image's inputs there: as four bytes, or as
   two pairs of words. Vectors are stored whole, so there is room for one more. */
typedef struct integer_list {
  size_t count;
  uint32_t group[INTEGER_DEPTH / 4 + 16];
  union {
    uint32_t bytes[INTEGER_IMAGES][INTEGER_DEPTH / 4 + 16];
    struct {
      int32_t even[INTEGER_IMAGES][INTEGER_DEPTH / 4 + 16];
      int32_t odd[INTEGER_IMAGES][INTEGER_DEPTH / 4 + 16];
    };
  };
} integer_list;

typedef struct integer_kernels {
  size_t images; /* of a full tile */
  void (*tile)(const integer_tile *tile);
} integer_kernels;

#define CK_TEMPLATE "integer_template.h"
#define CK_WITH_DOTPROD
#include "each_path.h"

static const integer_kernels *const kernels[CK_PATH_COUNT] = CK_KERNELS(dotprod);

size_t ck_integer_packed_size(size_t inputs, size_t outputs) {
  return (outputs + INTEGER_BLOCK - 1) / INTEGER_BLOCK * INTEGER_BLOCK * ((inputs + 3) / 4 * 4);
}

/* [blocks of outputs][groups of four inputs][outputs of the block][4], zeros where there are no more */
void ck_integer_pack(size_t inputs, size_t outputs, const int8_t *weights, void *packed) {
  int8_t *to = packed;
  for (size_t first = 0; first < outputs; first += INTEGER_BLOCK)
    for (size_t i = 0; i < inputs; i += 4)
      for (size_t o = first; o < first + INTEGER_BLOCK; o++)
        for (size_t l = i; l < i + 4; l++)
          *to++ = o < outputs && l < inputs ? weights[o * inputs + l] : 0;
}

int64_t ck_integer_reach(size_t inputs, const int8_t *weights) {
  int64_t sum = 0;
  int8_t lowest = 0;
  /* Parts whose sums fit in fewer bits, of which more fit in a vector. */
  for (size_t first = 0; first < inputs; first += 1024) {
    int part = 0;
    for (size_t i = first; i < inputs && i < first + 1024; i++) {
      part += weights[i] < 0 ? -weights[i] : weights[i];
      lowest = weights[i] < lowest ? weights[i] : lowest;
    }
    sum += part;
  }
  return lowest < -127 ? -1 : sum;
}

/* The code around the loops of the kernels. */

/* (sum * multiplier + 2^(shift-1)) >> shift, in low ... high. */
static int64_t scaled(const ck_integer_layer *layer, size_t channel, int32_t sum, int64_t low, int64_t high) {
  int64_t t = ((int64_t)sum * layer->multiplier[channel] + ((int64_t)1 << (layer->shift - 1))) >> layer->shift;
  return t < low ? low : t > high ? high : t;
}

/* A tile of a layer whose weights are not packed. */
static void plain(const integer_tile *tile) {
  const ck_integer_layer *layer = tile->layer;
  for (size_t image = 0; image < tile->images; image++)
    for (size_t o = 0; o < layer->outputs; o++) {
      const int8_t *w = layer->weights + o * layer->inputs;
      int32_t sum = layer->bias[o];
      for (size_t i = 0; i < layer->inputs; i++) {
        size_t at = image * layer->inputs + i;
        sum += w[i] * (tile->wide ? ((const int16_t *)tile->x)[at] : ((const uint8_t *)tile->x)[at]);
      }
      size_t at = image * layer->outputs + o;
      int64_t t = tile->kind == INTEGER_BYTES ? scaled(layer, o, sum, -2048, 2047)
                                              : scaled(layer, o, sum, -16383, 16383);
      if (tile->kind == INTEGER_BYTES)
        ((uint8_t *)tile->y)[at] = layer->table[t + 2048];
      if (tile->kind == INTEGER_WORDS)
        ((int16_t *)tile->y)[at] = (int16_t)t;
      if (tile->kind == INTEGER_SUMS)
        ((int32_t *)tile->y)[at] = sum;
      if (tile->kind == INTEGER_FLOATS)
        ((float *)tile->y)[at] = (float)sum * tile->scales[o];
    }
}

/* A layer on `images` rows, a tile at a time; `tile` says what they are. */
static void run_layer(const integer_kernels *kernel, integer_tile tile, size_t images, size_t width, size_t size) {
  const uint8_t *x = tile.x;
  uint8_t *y = tile.y;
  for (size_t i = 0; i < images; i += tile.images) {
    tile.images = images - i < kernel->images ? images - i : kernel->images;
    tile.x = x + i * width;
    tile.y = y + i * size;
    (tile.layer->packed ? kernel->tile : plain)(&tile);
  }
}

/* A convolution on `images` rows of bytes, picture by picture: its pixels are the rows of a dense layer. What
   counts from `zero` are words, of which those outside of the picture are 0. Returns -1 if memory was refused. */
static int run_convolution(const integer_kernels *kernel, const integer_tile *tile, size_t images) {
  const ck_integer_layer *layer = tile->layer;
  const ck_convolution *g = &layer->convolution;
  size_t inputs = CK_ROW_INPUTS(layer), outputs = CK_ROW_OUTPUTS(layer), pixels = ck_coarse_pixels(g);
  size_t columns = pixels * ck_column_count(g), size = tile->kind == INTEGER_SUMS ? 4 : 1;
  /* Sums, then biases and multipliers of none for the dense layer, then columns, then the words. */
  int32_t *sums = ck_scratch_take((outputs + layer->outputs + columns) * sizeof *sums + inputs * sizeof(int16_t));
  if (!sums)
    return -1;
  int32_t *none = sums + outputs;
  void *laid_out = none + layer->outputs;
  int16_t *words = (int16_t *)((int32_t *)laid_out + columns);
  ck_integer_layer dense = *layer;
  integer_tile part = {.layer = &dense, .wide = 1, .kind = tile->kind, .x = laid_out};
  if (g->transposed) {
    memset(none, 0, layer->outputs * sizeof *none);
    dense.bias = dense.multiplier = none;
    part = (integer_tile){.layer = &dense, .wide = 1, .kind = INTEGER_SUMS, .x = words, .y = laid_out};
  }
  for (size_t image = 0; image < images; image++) {
    const uint8_t *x = (const uint8_t *)tile->x + image * inputs;
    uint8_t *y = (uint8_t *)tile->y + image * outputs * size;
    for (size_t i = 0; i < inputs; i++)
      words[i] = (int16_t)(x[i] - layer->zero);
    if (!g->transposed) {
      ck_im2col(g, sizeof *words, words, laid_out);
      part.y = y;
      run_layer(kernel, part, pixels, layer->inputs * sizeof *words, layer->outputs * size);
      continue;
    }
    run_layer(kernel, part, pixels, layer->inputs * sizeof *words, layer->outputs * sizeof *sums);
    ck_col2im(g, 1, laid_out, layer->bias, sums);
    if (tile->kind == INTEGER_SUMS)
      memcpy(y, sums, outputs * sizeof *sums);
    else
      for (size_t i = 0; i < outputs; i++)
        y[i] = layer->table[scaled(layer, i % (size_t)g->fine_channels, sums[i], -2048, 2047) + 2048];
  }
  ck_scratch_give(sums);
  return 0;
}

/* Takes the images of one task through all layers. */
static void task(void *context, size_t index) {
  integer_job *job = context;
  const integer_kernels *kernel = kernels[ck_path()];
  static const size_t sizes[] = {
      [INTEGER_BYTES] = 1, [INTEGER_WORDS] = 2, [INTEGER_SUMS] = 4, [INTEGER_FLOATS] = 4};
  size_t first = index * job->task_images;
  size_t images = job->count - first < job->task_images ? job->count - first : job->task_images;
  size_t half = images * job->widest;
  uint8_t few[INTEGER_STACK], *between = few, *memory = NULL;
  if (half > sizeof few / 2) {
    between = memory = ck_scratch_take(2 * half);
    if (!memory) {
      atomic_store_explicit(&job->refused, 1, memory_order_relaxed);
      return;
    }
  }
  size_t width = CK_ROW_INPUTS(job->layers) * (job->wide ? 2 : 1);
  const uint8_t *x = (const uint8_t *)job->x + first * width;
  for (size_t l = 0; l < job->layer_count; l++) {
    const ck_integer_layer *layer = job->layers + l;
    int last = l + 1 == job->layer_count;
    integer_tile tile = {.layer = layer,
                         .scales = job->scales,
                         .wide = job->wide && l == 0,
                         .kind = last ? job->kind : INTEGER_BYTES};
    size_t size = CK_ROW_OUTPUTS(layer) * sizes[tile.kind];
    uint8_t *y = last ? (uint8_t *)job->y + first * size : between + (l & 1) * half;
    tile.x = x;
    tile.y = y;
    if (!layer->convolution.kernel)
      run_layer(kernel, tile, images, width, size);
    else if (run_convolution(kernel, &tile, images) != 0)
      atomic_store_explicit(&job->refused, 1, memory_order_relaxed);
    x = y;
    width = size;
  }
  ck_scratch_give(memory);
}

static int run(const ck_integer_layer *layers, size_t layer_count, size_t count, const void *x, int wide, void *y,
               int kind, const float *scales) {
  integer_job job = {.layers = layers,
                     .layer_count = layer_count,
                     .x = x,
                     .y = y,
                     .scales = scales,
                     .count = count,
                     .wide = wide,
                     .kind = kind};
  for (size_t l = 0; l + 1 < layer_count; l++) {
    size_t outputs = CK_ROW_OUTPUTS(layers + l);
    job.widest = outputs > job.widest ? outputs : job.widest;
  }
  size_t images = kernels[ck_path()]->images;
  if (count <= images) {
    job.task_images = count;
    if (count > 0)
      task(&job, 0);
  } else {
    size_t tiles = count / images / ((size_t)ck_thread_count() * INTEGER_TASKS);
    job.task_images = (tiles < 1 ? 1 : tiles > INTEGER_TILES ? INTEGER_TILES : tiles) * images;
    ck_parallel((count + job.task_images - 1) / job.task_images, task, &job);
  }
  return atomic_load_explicit(&job.refused, memory_order_relaxed) ? -1 : 0;
}

int ck_integer_network_bytes(const ck_integer_layer *layers, size_t layer_count, size_t count, const int16_t *x,
                             uint8_t *y) {
  return run(layers, layer_count, count, x, 1, y, INTEGER_BYTES, NULL);
}
int ck_integer_network_words(const ck_integer_layer *layers, size_t layer_count, size_t count, const uint8_t *x,
                             int16_t *y) {
  return run(layers, layer_count, count, x, 0, y, INTEGER_WORDS, NULL);
}
int ck_integer_network_floats(const ck_integer_layer *layers, size_t layer_count, size_t count, const uint8_t *x,
                              const float *scales, float *y) {
  return run(layers, layer_count, count, x, 0, y, INTEGER_FLOATS, scales);
}

int ck_integer_bytes_to_bytes(const ck_integer_layer *layer, size_t count, const uint8_t *x, uint8_t *y) {
  return run(layer, 1, count, x, 0, y, INTEGER_BYTES, NULL);
}
int ck_integer_bytes_to_words(const ck_integer_layer *layer, size_t count, const uint8_t *x, int16_t *y) {
  return run(layer, 1, count, x, 0, y, INTEGER_WORDS, NULL);
}
int ck_integer_bytes_to_sums(const ck_integer_layer *layer, size_t count, const uint8_t *x, int32_t *y) {
  return run(layer, 1, count, x, 0, y, INTEGER_SUMS, NULL);
}
int ck_integer_words_to_bytes(const ck_integer_layer *layer, size_t count, const int16_t *x, uint8_t *y) {
  return run(layer, 1, count, x, 1, y, INTEGER_BYTES, NULL);
}
