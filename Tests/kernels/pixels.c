/*
 * Lossless coding pixel by pixel at the ends of its numbers: whatever a network says, a block decodes to what it was, and
 * whatever a block's bytes are, they decode to something. It is a program of its own so that it can be built with
 * sanitizers, without Swift:
 *
 *   clang -O1 -fsanitize=address,undefined -ISources/CPixels/include Tests/kernels/pixels.c Sources/CPixels/?*.c -lm
 *
 * One line a check, "ok" or "NOT OK"; exits 1 if one failed.
 */
#include "CPixels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void report(int failed, const char *what) {
  printf("%s %s\n", failed ? "NOT OK  " : "ok      ", what);
  fflush(stdout);
  failures += failed != 0;
}

static uint64_t state = 1;

static uint32_t random_below(uint32_t limit) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)((state >> 33) % limit);
}

/* ---- Elementary functions: nearly those of Lossless/Pixels/FunctionTables.swift, whose last bits do not matter here ---- */

static int16_t logit[4096], logarithm[2048];
static uint16_t logistic[6144];
static uint32_t sigmoid[1538], power[257], rate[16];
static const cp_functions functions = {logit, logarithm, logistic, sigmoid, power, rate};

static void make_functions(void) {
  for (int i = 0; i < 4096; i++) {
    double p = (i + 0.5) / 4096;
    logit[i] = (int16_t)lround(256 * log(p / (1 - p)));
  }
  for (int i = 0; i < 2048; i++)
    logarithm[i] = (int16_t)lround(4096 * log1p((i + 0.5) / 2048));
  for (int i = 0; i < 6144; i++) {
    double value = 65536 / (1 + exp((3072 - i) / 256.0));
    logistic[i] = (uint16_t)(value < 1 ? 1 : value > 65535 ? 65535 : lround(value));
  }
  for (int i = 0; i < 1538; i++)
    sigmoid[i] = (uint32_t)lround(16777216 / (1 + exp((768 - i) / 64.0)));
  for (int i = 0; i < 257; i++)
    power[i] = (uint32_t)lround(65536 * exp2(i / 256.0));
  for (int i = 0; i < 16; i++)
    rate[i] = (uint32_t)(65536 / (i + 1.5));
}

/* ---- What networks say ---- */

enum { NONE, ALL_MOST, ALL_LEAST, ALTERNATING, ENDS, ANY, SMALL, WAYS };
static const char *const way_names[WAYS] = {"no network", "a network of largest numbers", "a network of smallest numbers",
                                            "a network of both in turn", "a network of either at random",
                                            "a network of any numbers", "a network of small numbers"};
enum { LARGEST = 16383 };

static int number(int way, size_t i) {
  switch (way) {
  case ALL_MOST: return LARGEST;
  case ALL_LEAST: return -LARGEST;
  case ALTERNATING: return i % 2 ? LARGEST : -LARGEST;
  case ENDS: return random_below(2) ? LARGEST : -LARGEST;
  case ANY: return (int)random_below(2 * LARGEST + 1) - LARGEST;
  default: return (int)random_below(513) - 256;
  }
}

static int16_t correction(int way, size_t i) {
  switch (way) {
  case ALL_MOST: return INT16_MAX;
  case ALL_LEAST: return INT16_MIN;
  case ALTERNATING: return i % 2 ? INT16_MAX : INT16_MIN;
  case ENDS: return random_below(2) ? INT16_MAX : INT16_MIN;
  case ANY: return (int16_t)random_below(65536);
  default: return (int16_t)((int)random_below(601) - 300);
  }
}

/* ---- Blocks ---- */

/* Memory of just that size, so that a sanitizer sees what is beyond. */
static void *memory_of(size_t size) {
  void *memory = NULL;
  if (posix_memalign(&memory, 64, size ? size : 1) != 0) exit(2);
  memset(memory, 0, size);
  return memory;
}

/* Codes all steps; the words are those of a seed. Returns 0 once the bytes or the room for them are over. */
static int code(cp_block *block, int way, uint64_t seed) {
  uint8_t features[CP_FEATURES];
  state = seed;
  for (int step = 0; step < cp_block_step_count(block); step++) {
    size_t rows = cp_block_row_count(block, step);
    if (rows > 0) {
      int16_t *words = NULL;
      if (way != NONE) {
        words = memory_of(rows * CP_OUTPUTS * sizeof *words);
        for (size_t i = 0; i < rows * CP_OUTPUTS; i++)
          words[i] = (int16_t)number(way, i);
        for (size_t row = 0; row < rows; row++)
          cp_block_features(block, step, row, 1, features);
      }
      cp_block_code(block, step, words);
      free(words);
    }
    if (cp_block_is_over(block)) return 0;
    cp_block_end_step(block, step);
  }
  return 1;
}

static cp_block *begin(const cp_shape *shape, size_t count, const int16_t *table) {
  return cp_block_begin(memory_of(cp_block_size(shape, count)), shape, count, &functions, table);
}

static void draw(uint8_t *pixels, size_t count, int channels, int content) {
  for (size_t i = 0; i < count; i++)
    pixels[i] = content == 0 ? (uint8_t)random_below(256) : content == 1 ? (uint8_t)(i / (size_t)channels * 3)
                : content == 2 ? (random_below(9) ? 0 : 255) : 255;
}

/* Whether a block comes back, and whether bytes that were changed or cut end a decoder's work. */
static int try_block(int width, int height, int channels, size_t count, int content, int way) {
  cp_shape shape;
  cp_shape_make(width, height, channels, &shape);
  size_t image = (size_t)width * (size_t)height * (size_t)channels, capacity = 64 * image * count + 64;
  uint8_t *pixels = memory_of(image * count), *again = memory_of(image), *bytes = memory_of(capacity);
  int16_t *table = way == NONE ? NULL : memory_of(CP_TABLE * sizeof *table);
  int failed = 0;
  for (size_t i = 0; table && i < CP_TABLE; i++)
    table[i] = correction(way, i);
  draw(pixels, image * count, channels, content);
  uint64_t seed = state;

  cp_block *block = begin(&shape, count, table);
  for (size_t i = 0; i < count; i++)
    cp_planes_load(&shape, pixels + i * image, cp_block_planes(block, i));
  cp_block_write(block, bytes, capacity);
  failed |= !code(block, way, seed);
  size_t size = cp_block_finish(block);
  failed |= size == 0;
  free(block);
  uint8_t *exact = memory_of(size);
  memcpy(exact, bytes, size);

  block = begin(&shape, count, table);
  cp_block_read(block, exact, size);
  failed |= !code(block, way, seed) || !cp_block_is_at_end(block);
  for (size_t i = 0; i < count; i++) {
    cp_planes_store(&shape, cp_block_planes(block, i), again);
    failed |= memcmp(again, pixels + i * image, image) != 0;
  }
  free(block);

  /* Too little room is told. */
  block = begin(&shape, count, table);
  for (size_t i = 0; i < count; i++)
    cp_planes_load(&shape, pixels + i * image, cp_block_planes(block, i));
  cp_block_write(block, bytes, size / 2);
  failed |= code(block, way, seed) && cp_block_finish(block) != 0;
  free(block);

  for (int round = 0; round < 3; round++) {
    size_t cut = round == 0 ? size / 2 : size;
    uint8_t *bad = memory_of(cut);
    memcpy(bad, exact, cut);
    for (size_t i = 0; round > 0 && i < cut; i++)
      if (round == 2 || random_below(8) == 0) bad[i] = (uint8_t)random_below(256);
    block = begin(&shape, count, table);
    cp_block_read(block, bad, cut);
    code(block, way, seed);
    free(block);
    free(bad);
  }
  free(table), free(pixels), free(again), free(bytes), free(exact);
  return failed;
}

int main(void) {
  static const int sizes[][2] = {{1, 1}, {1, 9}, {7, 5}};
  make_functions();
  for (int way = 0; way < WAYS; way++) {
    int failed = 0;
    for (int content = 0; content < 4; content++)
      for (int channels = 1; channels < 5; channels += 1 + (channels == 1))
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
          failed += try_block(sizes[i][0], sizes[i][1], channels, 1 + i % 2 * 2, content, way);
    failed += try_block(256, 1, 3, 1, 0, way) + try_block(2, 256, 4, 1, 1, way);
    char text[120];
    snprintf(text, sizeof text, "blocks come back, and bytes that are none are read to their end: %s", way_names[way]);
    report(failed, text);
  }
  return failures != 0;
}
