/*
 * Dense layers in integers: how weights are arranged and images shared among threads. The sums are in
 * integer_template.h; every path gives the same ones, because integer addition does not round.
 */
#include "internal.h"

#include <string.h>

enum { INTEGER_BYTES, INTEGER_WORDS, INTEGER_SUMS };
/* Outputs of a tile, and what packed weights are cut into. */
enum { INTEGER_BLOCK = 64 };
/* Inputs that one list of groups can hold. */
enum { INTEGER_DEPTH = 1024 };
/* The largest tile's images. */
enum { INTEGER_IMAGES = 6 };

typedef struct integer_job {
  const ck_integer_layer *layer;
  const void *x;
  void *y;
  size_t count, tiles;
  int wide; /* x is words */
  int kind; /* of y */
} integer_job;

/* The groups of four inputs that a tile has to look at, and each image's inputs there: as four bytes, or as
   two pairs of words. */
typedef struct integer_list {
  size_t count;
  uint32_t group[INTEGER_DEPTH / 4 + 1];
  uint32_t bytes[INTEGER_IMAGES][INTEGER_DEPTH / 4 + 1];
  int32_t even[INTEGER_IMAGES][INTEGER_DEPTH / 4 + 1];
  int32_t odd[INTEGER_IMAGES][INTEGER_DEPTH / 4 + 1];
} integer_list;

typedef struct integer_kernels {
  size_t images; /* of a full tile */
  void (*tile)(void *job, size_t index);
} integer_kernels;

#define CK_TEMPLATE "integer_template.h"
#include "each_path.h"

static const integer_kernels *const kernels[CK_PATH_COUNT] = {
    [CK_PATH_GENERIC] = &kernels_generic,
#if defined(__x86_64__)
    [CK_PATH_AVX2] = &kernels_avx2,
    [CK_PATH_AVX512] = &kernels_avx512,
#elif defined(__aarch64__)
    [CK_PATH_NEON] = &kernels_neon,
#endif
};

size_t ck_integer_packed_size(size_t inputs, size_t outputs) {
  return ((outputs + 15) / 16 * 16) * ((inputs + 3) / 4 * 4);
}

/* [blocks of 64 outputs][groups of four inputs][outputs of the block, up to a multiple of 16][4] */
void ck_integer_pack(size_t inputs, size_t outputs, const int8_t *weights, void *packed) {
  int8_t *to = packed;
  for (size_t first = 0; first < outputs; first += INTEGER_BLOCK) {
    size_t count = outputs - first < INTEGER_BLOCK ? outputs - first : INTEGER_BLOCK;
    size_t width = (count + 15) / 16 * 16;
    for (size_t i = 0; i < inputs; i += 4)
      for (size_t o = 0; o < width; o++)
        for (size_t l = 0; l < 4; l++)
          *to++ = o < count && i + l < inputs ? weights[(first + o) * inputs + i + l] : 0;
  }
}

/* One image of a layer whose weights are not packed. */
static void plain(void *context, size_t image) {
  const integer_job *job = context;
  const ck_integer_layer *layer = job->layer;
  for (size_t o = 0; o < layer->outputs; o++) {
    const int8_t *w = layer->weights + o * layer->inputs;
    int32_t sum = layer->bias[o];
    for (size_t i = 0; i < layer->inputs; i++) {
      size_t at = image * layer->inputs + i;
      sum += w[i] * (job->wide ? ((const int16_t *)job->x)[at] : ((const uint8_t *)job->x)[at]);
    }
    size_t at = image * layer->outputs + o;
    int64_t t = ((int64_t)sum * layer->multiplier[o] + ((int64_t)1 << (layer->shift - 1))) >> layer->shift;
    int64_t largest = job->kind == INTEGER_BYTES ? 2047 : 16383;
    int64_t smallest = job->kind == INTEGER_BYTES ? -2048 : -16383;
    t = t < smallest ? smallest : t > largest ? largest : t;
    if (job->kind == INTEGER_BYTES)
      ((uint8_t *)job->y)[at] = layer->table[t + 2048];
    if (job->kind == INTEGER_WORDS)
      ((int16_t *)job->y)[at] = (int16_t)t;
    if (job->kind == INTEGER_SUMS)
      ((int32_t *)job->y)[at] = sum;
  }
}

static int run(const ck_integer_layer *layer, size_t count, const void *x, int wide, void *y, int kind) {
  integer_job job = {.layer = layer, .x = x, .y = y, .count = count, .wide = wide, .kind = kind};
  if (!layer->packed) {
    ck_parallel(count, plain, &job);
    return 0;
  }
  const integer_kernels *kernel = kernels[ck_path()];
  job.tiles = (count + kernel->images - 1) / kernel->images;
  ck_parallel(job.tiles, kernel->tile, &job);
  return 0;
}

int ck_integer_bytes_to_bytes(const ck_integer_layer *layer, size_t count, const uint8_t *x, uint8_t *y) {
  return run(layer, count, x, 0, y, INTEGER_BYTES);
}
int ck_integer_bytes_to_words(const ck_integer_layer *layer, size_t count, const uint8_t *x, int16_t *y) {
  return run(layer, count, x, 0, y, INTEGER_WORDS);
}
int ck_integer_bytes_to_sums(const ck_integer_layer *layer, size_t count, const uint8_t *x, int32_t *y) {
  return run(layer, count, x, 0, y, INTEGER_SUMS);
}
int ck_integer_words_to_bytes(const ck_integer_layer *layer, size_t count, const int16_t *x, uint8_t *y) {
  return run(layer, count, x, 1, y, INTEGER_BYTES);
}
