/*
 * CPixels.h: lossless coding pixel by pixel, in integers: the neighbourhood of a pixel, the distribution of its value, and
 * the stage that adapts to the block at hand. It stands apart from the kernels of networks because it is branches and
 * tables; the network between neighbourhood and distribution runs in CKernels. docs/format-aez.md gives the arithmetic.
 *
 * Images are coded in step: first all images' pixel 0, then pixel 1 and so on along slanted lines (wavefronts), so that
 * a network takes many pixels at a time.
 */
#ifndef CPIXELS_H
#define CPIXELS_H

#include <stddef.h>
#include <stdint.h>

/** Bytes that stand for a pixel's neighbourhood: a network's inputs. */
enum { CP_FEATURES = 232 };
/** Those of them that say where in the image the pixel is and what the whole of it looks like, on an 8 x 8 grid. */
enum { CP_GRID_FIRST = 121, CP_GRID_COUNT = 64 };
/** Components of the mixture, numbers that correct it, and what a network outputs: weights, means, scales, numbers. */
enum { CP_COMPONENTS = 5, CP_CORRECTIONS = 16, CP_OUTPUTS = 3 * CP_COMPONENTS + CP_CORRECTIONS };
/** Values of a pixel, which are the leaves of a tree of so many questions less one. */
enum { CP_VALUES = 256 };
/** A pixel's neighbourhood reaches so far to each side and up. */
enum { CP_REACH = 6 };
/** Numbers of the corrections' table: [CP_VALUES, CP_CORRECTIONS], of which row 0 is not used. */
enum { CP_TABLE = CP_VALUES * CP_CORRECTIONS };

/** Elementary functions as tables; made in Lossless/Pixels/FunctionTables.swift. */
typedef struct cp_functions {
  const int16_t *logit;     /* [4096]: ln(p / (1 - p)) in 1/256, of p = (i + 1/2) / 4096 */
  const int16_t *log;       /* [2048]: 4096 ln(1 + (i + 1/2) / 2048) */
  const uint16_t *logistic; /* [6144]: 65536 / (1 + exp(-x / 256)) of x = i - 3072, in 1 ... 65535 */
  const uint32_t *sigmoid;  /* [1538]: 2^24 / (1 + exp(-z)) of z = (i - 768) / 64 */
  const uint32_t *power;    /* [257]: 2^(16 + i / 256) */
  const uint32_t *rate;     /* [16]: 65536 / (i + 3/2) */
} cp_functions;

/** Size of an image, and how its planes lie in memory: with margins of zeros, in the order in which they are coded. */
typedef struct cp_shape {
  int32_t width, height, channels; /* channels: 1, 3 or 4 */
  size_t stride, plane, image;     /* bytes of a row, a plane and an image */
} cp_shape;

/** cp_shape_make(width, height, channels, shape) fills a shape; sides 1 ... 256. */
void cp_shape_make(int width, int height, int channels, cp_shape *shape);
/** cp_planes_load(shape, pixels, planes) takes an image apart; planes is zeroed memory. cp_planes_store puts it together. */
void cp_planes_load(const cp_shape *shape, const uint8_t *pixels, uint8_t *planes);
void cp_planes_store(const cp_shape *shape, const uint8_t *planes, uint8_t *pixels);
/** cp_step_count(shape) returns the steps that a plane is coded in: pixel (y, x) in step x + CP_REACH * y. */
int cp_step_count(const cp_shape *shape);

/** What was seen of a plane in the steps before: its values, and sums over the cells of a grid of 8 x 8. */
typedef struct cp_seen {
  uint64_t values[4];
  uint32_t cells[64];
  uint8_t least, largest;
  uint16_t count; /* different values */
} cp_seen;

/** cp_seen_add(shape, seen, y, x, value) adds a pixel. */
void cp_seen_add(const cp_shape *shape, cp_seen *seen, int y, int x, int value);

/**
 * cp_features(shape, planes, k, y, x, seen, features) writes the CP_FEATURES bytes of pixel (y, x) of the plane that is
 * coded k-th, and returns the value that is expected there: the median of three (or its difference to the plane before).
 */
int cp_features(const cp_shape *shape, const uint8_t *planes, int k, int y, int x, const cp_seen *seen,
                uint8_t *features);

/**
 * cp_mixture_loss(outputs, table, base, value, delta, table_delta) returns the nats that a value costs under the
 * distribution of a network's outputs in floats. delta, unless NULL, gets the gradient by the outputs; the gradient by
 * the table is added to table_delta. What the outputs mean is in mixture.h.
 */
float cp_mixture_loss(const float *outputs, const float *table, int base, int value, float *delta,
                      float *table_delta);
/**
 * cp_mixture_losses(rows, outputs, table, bases, values, scale, delta, table_delta) returns the sum over rows. delta,
 * unless NULL, gets the gradients by the outputs, each moved into -4 ... 4 and multiplied by `scale`, so that no pixel
 * weighs much more than others; the gradient by the table, times `scale`, is added to table_delta.
 */
double cp_mixture_losses(size_t rows, const float *outputs, const float *table, const uint8_t *bases,
                         const uint8_t *values, float scale, float *delta, float *table_delta);

/** cp_round(count, step, low, high, x, y) writes the multiples of `step` next to x, between those of low and high. */
void cp_round(size_t count, float step, int low, int high, const float *x, float *y);

/** How far a plane was walked along its steps, and what was seen; zeros at its start. */
typedef struct cp_walk {
  cp_seen seen;
  int32_t step;
} cp_walk;

/**
 * cp_samples(shape, planes, k, walk, count, places, features, bases, values) writes the features, expected and actual
 * values of pixels of a plane whose values are all known. places: y * width + x of each, in the order of their steps.
 */
void cp_samples(const cp_shape *shape, const uint8_t *planes, int k, cp_walk *walk, size_t count,
                const int32_t *places, uint8_t *features, uint8_t *bases, uint8_t *values);

/** A block of images while it is coded. */
typedef struct cp_block cp_block;

/** cp_block_size(shape, count) returns the bytes of a block of `count` images: some megabytes and what its planes take. */
size_t cp_block_size(const cp_shape *shape, size_t count);
/**
 * cp_block_begin(memory, shape, count, functions, table) makes a block of cp_block_size bytes, which must be zeroed and
 * aligned to 64. `table` is the correction's table in 1/4096, or NULL for a block without a network.
 */
cp_block *cp_block_begin(void *memory, const cp_shape *shape, size_t count, const cp_functions *functions,
                         const int16_t *table);
/** The planes of an image of the block. */
uint8_t *cp_block_planes(cp_block *block, size_t image);

/** cp_block_write(block, out, capacity) sets out to encode into `out`; cp_block_read(block, bytes, count) to decode. */
void cp_block_write(cp_block *block, uint8_t *out, size_t capacity);
void cp_block_read(cp_block *block, const uint8_t *bytes, size_t count);

/** Steps in all, and rows of one: pixels that are coded at a time. */
int cp_block_step_count(const cp_block *block);
size_t cp_block_row_count(const cp_block *block, int step);
/** cp_block_features(block, step, first, count, features) writes the features of rows first ... first + count - 1. */
void cp_block_features(cp_block *block, int step, size_t first, size_t count, uint8_t *features);
/**
 * cp_block_code(block, step, words) codes all rows of a step, which has some, from the network's outputs in 1/256, or
 * without a network from NULL. Then cp_block_end_step(block, step).
 */
void cp_block_code(cp_block *block, int step, const int16_t *words);
void cp_block_end_step(cp_block *block, int step);
/** cp_block_is_over(block) says whether a decoder has read past its bytes, or an encoder filled its room. */
int cp_block_is_over(const cp_block *block);
/** cp_block_finish(block) ends an encoder's bytes and returns how many they are, 0 if there was no room. */
size_t cp_block_finish(cp_block *block);
/** cp_block_is_at_end(block) says whether a decoder has read just its bytes. */
int cp_block_is_at_end(const cp_block *block);

#endif
