/*
 * A block of images as one arithmetic code: for each pixel the mixture that the network gives (or, without one, simple
 * predictors, which guess beside a network, too), then for each of its eight bits the stage that adapts: tables of
 * probabilities by context, mixed in the logistic domain, and two refinements of the outcome. A bit of which the mixture
 * is certain takes a short way; without a network, a pixel among equal ones is first asked whether it is equal. Mixing
 * follows Mahoney, "Adaptive weighing of context models for lossless data compression" (2005); the refinement is his
 * secondary symbol estimation. docs/format-aez.md specifies all of it.
 *
 * One function codes both ways, so that a decoder cannot differ from the encoder.
 */
#include "CPixels.h"
#include "mixture.h"

#include <string.h>

enum {
  CONTEXTS = 5,
  INPUTS = 8,            /* the mixture's logit, the guesses' if that is the network's, the contexts' and 1 */
  ROW_BITS = 15,         /* of a context's table, whose rows are 16 probabilities: half a value's tree */
  FIRST_RATE = 15,       /* at which weights learn, at first, and always where there is a network */
  LAST_RATE = 10,
  COUNT_BITS = 4,        /* of a probability in a row, which counts how often it was moved */
  MOST = (1 << COUNT_BITS) - 1,
  SPREADS = 16,          /* classes of the mixture's spread */
  REFINED = 25,          /* probabilities of a refinement, by logit */
  REFINED_STEP = 256,    /* the distance of their logits */
  LOGITS = 3072,         /* logits lie in -3072 ... 3071, in 1/256 */
  CERTAIN = 2400,        /* logits of a mixture beyond which a question takes the short way */
  CERTAINTIES = (LOGITS - CERTAIN + 63) / 64,
  MIXTURE_BITS = 24,     /* of the distribution function */
  COLOURS = 3,
  GUESSES = 3,
  TEXTURES = 1024,       /* classes of neighbourhoods, by what they have above and below the linear predictor */
  TAPS = 20,             /* of the linear predictor */
  LEVELS = 16,           /* classes of errors and of gradients */
  ERRORS = LEVELS * LEVELS + 1, /* the last where all neighbours are equal */
  ALPHABETS = 8 * 8 * 4,
  SETS = 8 * SPREADS + 4, /* of weights: by question and spread, and by colour of the question among equal pixels */
};

/* The binary coder of Entropy/BinaryCoder.swift: the same bytes for the same questions. */
typedef struct coder {
  uint32_t low, high, state;
  int is_reading;
  const uint8_t *in;
  uint8_t *out;
  size_t at, count; /* bytes taken or put so far; how many there are, or may be */
} coder;

static uint32_t take(coder *c) {
  size_t at = c->at++;
  return at < c->count ? c->in[at] : 0;
}

static void put(coder *c, uint32_t byte) {
  if (c->at < c->count)
    c->out[c->at] = (uint8_t)byte;
  c->at++;
}

static int code_bit(coder *c, int bit, uint32_t probability) {
  uint32_t middle = c->low + (uint32_t)((uint64_t)(c->high - c->low) * probability >> 16);
  if (c->is_reading)
    bit = c->state <= middle;
  if (bit)
    c->high = middle;
  else
    c->low = middle + 1;
  while (((c->low ^ c->high) & 0xFF000000u) == 0) {
    if (c->is_reading)
      c->state = c->state << 8 | take(c);
    else
      put(c, c->high >> 24);
    c->low <<= 8;
    c->high = c->high << 8 | 255;
  }
  return bit;
}

/* A colour's linear predictor, its bias by texture, and the mean errors of the guesses by context. */
typedef struct predictors {
  int32_t taps[TAPS];        /* 65536 for 1 */
  int32_t bias[TEXTURES];          /* of the linear predictor, in 1/8192 */
  uint32_t error[GUESSES][ERRORS]; /* in 1/4096 of a grey level */
} predictors;

struct cp_block {
  cp_shape shape;
  size_t count;
  const cp_functions *f;
  coder coder;
  const int16_t *table; /* of corrections, or NULL without a network */
  uint8_t *planes; /* [count] images */
  int8_t *errors;  /* likewise: how far each value was from the one expected */
  cp_seen *seen;   /* [count], of the plane in hand */
  int16_t *rows;   /* [CONTEXTS][1 << ROW_BITS][16]: a check, then 12 bits of a probability less 1/2 and 4 of a count */
  int32_t weights[SETS][INPUTS]; /* 2^20 for 1 */
  int32_t rates[SETS];
  uint16_t by_spread[8 * SPREADS * REFINED], by_alphabet[ALPHABETS * REFINED];
  uint16_t certain[8][2][CERTAINTIES];
  predictors predictors[COLOURS];
};

/* The distribution of a value. */
typedef struct distribution {
  int components;
  int32_t mean[CP_COMPONENTS]; /* in 1/32 */
  uint32_t weight[CP_COMPONENTS]; /* 65536 in all, or a little less */
  int64_t scale[CP_COMPONENTS]; /* 65536 for 1 */
  int expected, spread;
  int16_t numbers[CP_CORRECTIONS];
} distribution;

/* What the linear predictor saw and said. */
typedef struct guess {
  int count, context, texture, linear, value[GUESSES]; /* in 1/32 */
  int32_t energy;
  int32_t difference[TAPS];
} guess;

/* A pixel before its value is coded. */
typedef struct pixel {
  size_t image;
  uint8_t *p;
  int8_t *e;
  int is_flat; /* the neighbours are one value: then the first question is whether this is it again */
  distribution distribution, own; /* of the network if there is one, and of the guesses */
  guess guess;
  uint32_t hashes[CONTEXTS], flat_hashes[CONTEXTS];
} pixel;

static size_t align(size_t bytes) {
  return (bytes + 63) & ~(size_t)63;
}

size_t cp_block_size(const cp_shape *shape, size_t count) {
  return align(sizeof(cp_block)) + align(count * sizeof(cp_seen)) + ((size_t)CONTEXTS << ROW_BITS) * 32 +
         2 * align(count * shape->image + CP_REACH);
}

static void flat(const cp_functions *f, size_t count, uint16_t *refined) {
  for (size_t i = 0; i < count * REFINED; i++) {
    int x = (int)(i % REFINED) * REFINED_STEP;
    refined[i] = f->logistic[x < 2 * LOGITS ? x : 2 * LOGITS - 1];
  }
}

cp_block *cp_block_begin(void *memory, const cp_shape *shape, size_t count, const cp_functions *functions,
                         const int16_t *table) {
  cp_block *b = memory;
  uint8_t *rest = (uint8_t *)memory + align(sizeof *b);
  b->shape = *shape;
  b->count = count;
  b->f = functions;
  b->table = table;
  b->seen = (cp_seen *)rest;
  rest += align(count * sizeof(cp_seen));
  b->rows = (int16_t *)rest;
  rest += ((size_t)CONTEXTS << ROW_BITS) * 32;
  b->planes = rest;
  b->errors = (int8_t *)(rest + align(count * shape->image + CP_REACH));
  for (int i = 0; i < SETS; i++) {
    for (int j = 0; j < INPUTS - 1; j++)
      b->weights[i][j] = i < 8 * SPREADS && j == 0 ? 1 << 20 : table ? 1 << 16 : 1 << 17;
    b->rates[i] = FIRST_RATE << 16;
  }
  flat(functions, 8 * SPREADS, b->by_spread);
  flat(functions, ALPHABETS, b->by_alphabet);
  for (int i = 0; i < 8; i++)
    for (int j = 0; j < CERTAINTIES; j++) {
      b->certain[i][0][j] = functions->logistic[LOGITS - CERTAIN - 64 * j];
      b->certain[i][1][j] = functions->logistic[LOGITS + CERTAIN + 64 * j];
    }
  for (int c = 0; c < COLOURS; c++)
    for (int p = 0; p < GUESSES; p++)
      for (int i = 0; i < ERRORS; i++)
        b->predictors[c].error[p][i] = (uint32_t)(8 + 3 * (i / LEVELS)) << 12;
  return b;
}

uint8_t *cp_block_planes(cp_block *block, size_t image) {
  return block->planes + image * block->shape.image;
}

void cp_block_write(cp_block *block, uint8_t *out, size_t capacity) {
  block->coder = (coder){.high = UINT32_MAX, .out = out, .count = capacity};
}

void cp_block_read(cp_block *block, const uint8_t *bytes, size_t count) {
  coder *c = &block->coder;
  *c = (coder){.high = UINT32_MAX, .in = bytes, .count = count, .is_reading = 1};
  for (int i = 0; i < 4; i++)
    c->state = c->state << 8 | take(c);
}

int cp_block_is_over(const cp_block *block) {
  return block->coder.at > block->coder.count;
}

int cp_block_is_at_end(const cp_block *block) {
  return block->coder.at == block->coder.count;
}

size_t cp_block_finish(cp_block *block) {
  coder *c = &block->coder;
  for (int shift = 24; shift >= 0; shift -= 8)
    put(c, c->low >> shift);
  return c->at <= c->count ? c->at : 0;
}

/* ---- The order: along slanted lines, so that all rows of a step see what they need ---- */

int cp_block_step_count(const cp_block *block) {
  return cp_step_count(&block->shape) * block->shape.channels;
}

/* The plane of a step, and its first row of pixels, whose column is `*column`. */
static int first_row(const cp_shape *shape, int step, int *k, int *column, int *rows) {
  int steps = cp_step_count(shape), at = step % steps;
  *k = step / steps;
  int first = at < shape->width ? 0 : (at - shape->width + CP_REACH) / CP_REACH;
  int last = at / CP_REACH < shape->height - 1 ? at / CP_REACH : shape->height - 1;
  *column = at - CP_REACH * first;
  *rows = last - first + 1;
  return first;
}

size_t cp_block_row_count(const cp_block *block, int step) {
  int k, column, rows;
  first_row(&block->shape, step, &k, &column, &rows);
  return rows > 0 ? (size_t)rows * block->count : 0;
}

void cp_block_features(cp_block *block, int step, size_t first, size_t count, uint8_t *features) {
  int k, column, rows, top = first_row(&block->shape, step, &k, &column, &rows);
  for (size_t i = first; i < first + count; i++, features += CP_FEATURES) {
    int row = (int)(i / block->count);
    size_t image = i % block->count;
    cp_features(&block->shape, cp_block_planes(block, image), k, top + row, column - CP_REACH * row,
                block->seen + image, features);
  }
}

void cp_block_end_step(cp_block *block, int step) {
  int k, column, rows, top = first_row(&block->shape, step, &k, &column, &rows);
  for (int row = 0; row < rows; row++)
    for (size_t image = 0; image < block->count; image++) {
      int y = top + row, x = column - CP_REACH * row;
      const uint8_t *plane = cp_block_planes(block, image) + (size_t)k * block->shape.plane;
      cp_seen_add(&block->shape, block->seen + image, y, x,
                  plane[(size_t)(y + CP_REACH) * block->shape.stride + (size_t)x + CP_REACH]);
    }
  if ((step + 1) % cp_step_count(&block->shape) == 0)
    memset(block->seen, 0, block->count * sizeof *block->seen);
}

/* ---- The mixture ---- */

static int magnitude(int value) {
  return value < 0 ? -value : value;
}

static int limit(int value, int low, int high) {
  return value < low ? low : value > high ? high : value;
}

static int level(int value) {
  static const uint8_t steps[LEVELS - 1] = {1, 2, 4, 6, 9, 13, 18, 24, 32, 42, 56, 74, 100, 140, 200};
  int at = 0;
  while (at < LEVELS - 1 && value >= steps[at])
    at++;
  return at;
}

/* 256 times the binary logarithm of 1 ... 2^24, straight between powers of 2. */
static int logarithm(uint32_t value) {
  int whole = 31 - __builtin_clz(value);
  return whole * 256 + (int)((uint64_t)value * 256 >> whole) - 256;
}

/* The guesses' distribution, as a network's outputs: three predictors, whose errors in this context say how wide. */
static void expect(const cp_block *b, const predictors *known, const uint8_t *p, const uint8_t *q, const uint8_t *r,
                   const int8_t *e, int base, int is_flat, guess *g, int16_t *words) {
  ptrdiff_t s = (ptrdiff_t)b->shape.stride;
  int w = p[-1], n = p[-s], nw = p[-s - 1], ne = p[1 - s], ww = p[-2], nn = p[-2 * s], nne = p[1 - 2 * s];
  int32_t *d = g->difference;
  d[0] = w - base, d[1] = n - base, d[2] = nw - base, d[3] = ne - base, d[4] = ww - base, d[5] = nn - base;
  d[6] = p[-2 * s - 1] - base, d[7] = nne - base, d[8] = p[-s - 2] - base, d[9] = p[2 - s] - base;
  d[10] = d[11] = 0;
  g->count = 12;
  if (q) {
    int to = q[0] - base;
    d[10] = w - q[-1] + to, d[11] = n - q[-s] + to;
    d[12] = q[1] - q[0], d[13] = q[s] - q[0], d[14] = q[-1] - q[0], d[15] = q[-s] - q[0];
    g->count = 16;
    if (r) {
      to = r[0] - base;
      d[16] = w - r[-1] + to, d[17] = n - r[-s] + to, d[18] = r[1] - r[0], d[19] = r[s] - r[0];
      g->count = 20;
    }
  }
  int32_t energy = 64, sum = 0;
  for (int i = 0; i < g->count; i += 4)
    for (int j = i; j < i + 4; j++) {
      sum += known->taps[j] * d[j];
      energy += d[j] * d[j];
    }
  g->energy = energy;
  g->linear = limit(base * 32 + (sum >> 11), 0, 255 * 32);
  g->value[1] = base * 32;
  int across = magnitude(w - ww) + magnitude(n - nw) + magnitude(n - ne);
  int down = magnitude(w - nw) + magnitude(n - nn) + magnitude(ne - nne);
  int edge = down - across > 80 ? w : across - down > 80 ? n : (w + n) / 2 + (ne - nw) / 4;
  g->value[2] = (q ? base : limit(edge, 0, 255)) * 32;
  int gradient = across + down;
  if (q) {
    int dw = w - q[-1], dn = n - q[-s], dnw = nw - q[-s - 1];
    gradient = 2 * magnitude(dw - dn) + magnitude(dw - dnw) + 2 * magnitude(e[-(ptrdiff_t)b->shape.plane]);
  }
  int error = magnitude(e[-1]) + magnitude(e[-s]) + (magnitude(e[-s - 1]) + magnitude(e[1 - s])) / 2;
  g->context = is_flat ? ERRORS - 1 : level(error) * LEVELS + level(gradient / 2);
  int v = g->linear / 32;
  if (q) {
    w += q[0] - q[-1];
    n += q[0] - q[-s];
    nw += q[0] - q[-s - 1];
    ne += q[0] - q[1 - s];
  }
  g->texture = (n > v) | (w > v) << 1 | (nw > v) << 2 | (ne > v) << 3 | (ww > v) << 4 | (nn > v) << 5 |
               (2 * n - nn > v) << 6 | (2 * w - ww > v) << 7 | level(error) / 4 << 8;
  g->value[0] = limit(g->linear + (known->bias[g->texture] >> 8), 0, 255 * 32);
  int most = logarithm(known->error[0][g->context] >> 8 | 1);
  for (int i = 0; i < GUESSES; i++) {
    uint32_t mean = known->error[i][g->context] >> 8;
    words[i] = (int16_t)((most - logarithm(mean | 1)) * 8);
    words[CP_COMPONENTS + i] = (int16_t)(g->value[i] - base * 32);
    words[2 * CP_COMPONENTS + i] = (int16_t)(4 * 256 + 64 - logarithm(mean | 1));
  }
}

/* What the value taught the predictors. */
static void learn(predictors *known, const guess *g, int value) {
  int32_t *bias = &known->bias[g->texture];
  *bias += ((value * 32 - g->linear) * 256 - *bias) >> 6;
  int32_t step = (value * 32 - g->linear) * (1 << 17) / g->energy;
  for (int i = 0; i < g->count; i += 4)
    for (int j = i; j < i + 4; j++)
      known->taps[j] = limit(known->taps[j] + ((step * g->difference[j]) >> 11), -(1 << 17), 1 << 17);
  for (int i = 0; i < GUESSES; i++) {
    uint32_t *mean = &known->error[i][g->context];
    *mean += (uint32_t)((magnitude(value * 32 - g->value[i]) * 128 - (int32_t)*mean) / 64);
  }
}

static void mix(const cp_block *b, int base, const int16_t *words, int components, distribution *x) {
  x->components = components;
  int most = words[0];
  for (int i = 1; i < components; i++)
    most = words[i] > most ? words[i] : most;
  uint32_t all = 0;
  for (int i = 0; i < components; i++) {
    int below = most - words[i], shift = (below + 255) >> 8;
    x->weight[i] = shift > 16 ? 0 : b->f->power[shift * 256 - below] >> shift;
    all += x->weight[i];
  }
  /* The largest weight is 65536: the quotient has 17 bits. */
  uint64_t share = ((uint64_t)1 << 32) / all;
  int mean = 0, spread = 0;
  for (int i = 0; i < components; i++) {
    x->weight[i] = (uint32_t)(x->weight[i] * share >> 16);
    x->mean[i] = base * 32 + words[CP_COMPONENTS + i];
    int scale = limit(words[2 * CP_COMPONENTS + i], -7 * 256, 5 * 256);
    int64_t fraction = b->f->power[scale & 255];
    x->scale[i] = scale >= 0 ? fraction << (scale >> 8) : fraction >> -(scale >> 8);
    mean += (int)x->weight[i] * limit(x->mean[i], 0, 255 * 32);
    spread -= (int)x->weight[i] * scale;
  }
  x->expected = limit((mean / 32 + 32768) >> 16, 0, 255);
  x->spread = limit(((spread >> 16) + 5 * 256) * SPREADS / (12 * 256), 0, SPREADS - 1);
}

/* 2^24 times the share of values below `middle`. */
static uint32_t below(const cp_functions *f, const distribution *x, int middle) {
  uint64_t sum = 0;
  for (int i = 0; i < x->components; i++) {
    /* In 1/4096. */
    int64_t z = (middle * 32 - 16 - x->mean[i]) * x->scale[i] >> 9;
    int at = (int)(z < -12 * 4096 ? -12 * 4096 : z > 12 * 4096 - 1 ? 12 * 4096 - 1 : z) + 12 * 4096;
    uint32_t low = f->sigmoid[at >> 6], high = f->sigmoid[(at >> 6) + 1];
    sum += (uint64_t)x->weight[i] * (low + ((high - low) * (uint32_t)(at & 63) >> 6));
  }
  sum >>= 16;
  return (uint32_t)(sum - (sum >> 10)) + ((uint32_t)middle << (MIXTURE_BITS - 18));
}

/* 4096 times the natural logarithm of value / 2^32; value is at least 1. */
static int log_of(const cp_functions *f, uint32_t value) {
  int zeros = __builtin_clz(value);
  return f->log[value << zeros >> 20 & 2047] - 2839 * zeros;
}

/* ---- The contexts ---- */

static uint32_t hash(uint32_t number, uint32_t value) {
  value = (value + number * 0x9E3779B1u) * 0x85EBCA6Bu;
  value ^= value >> 15;
  value *= 0x297A2D39u;
  return value ^ value >> 13;
}

/* An error in eleven classes, 3 ... 13. */
static uint32_t error_class(int error) {
  int size = magnitude(error);
  int at = size == 0 ? 0 : size < 3 ? 1 : size < 7 ? 2 : size < 15 ? 3 : size < 31 ? 4 : 5;
  return (uint32_t)(8 + (error < 0 ? -at : at));
}

static void find_contexts(const cp_block *b, const uint8_t *p, const uint8_t *q, const int8_t *e, int colour,
                          const distribution *x, uint32_t *h) {
  ptrdiff_t s = (ptrdiff_t)b->shape.stride;
  uint32_t w = p[-1], n = p[-s], nw = p[-s - 1], ne = p[1 - s], ww = p[-2], nn = p[-2 * s];
  uint32_t m = (uint32_t)x->expected, spread = (uint32_t)x->spread;
  h[0] = hash(1, m | spread << 8);
  h[1] = hash(2, w | n << 8 | (uint32_t)(colour + 1) << 16);
  h[2] = hash(4, n >> 2 | ne >> 2 << 6 | w >> 2 << 12 | nw >> 2 << 18 | ww >> 5 << 24 | nn >> 5 << 27);
  h[3] = hash(6, m | error_class(e[-1]) << 8 | error_class(e[-s]) << 12);
  h[4] = q ? hash(7, q[0] | w << 8 | (uint32_t)q[-1] << 16) : hash(8, n | ne << 8 | nn << 16);
}

/* Whether values first ... first + size - 1 were seen; size is a power of 2 and divides first. */
static int was_seen(const cp_seen *seen, int first, int size) {
  if (size >= 64) {
    uint64_t any = 0;
    for (int i = first / 64; i < (first + size) / 64; i++)
      any |= seen->values[i];
    return any != 0;
  }
  return (seen->values[first >> 6] >> (first & 63) & (((uint64_t)1 << size) - 1)) != 0;
}

/* ---- A pixel ---- */

static uint32_t refined(const uint16_t *table, int part) {
  return (table[0] * (uint32_t)(REFINED_STEP - part) + table[1] * (uint32_t)part) / REFINED_STEP;
}

static void refine(uint16_t *table, int part, int bit) {
  uint16_t *near = table + (part >= REFINED_STEP / 2);
  *near = (uint16_t)(*near + (((bit ? 65535 : 0) - *near) >> 6));
}

/* The sum of inputs by weights, in 1/256. */
static int dot(const int32_t *weights, const int16_t *inputs) {
  int32_t sum = 0;
  for (int i = 0; i < INPUTS; i++)
    sum += (int16_t)(weights[i] >> 8) * inputs[i];
  return sum >> 12;
}

/* Weights stay within +-7. */
static void adapt(int32_t *weights, const int16_t *inputs, int16_t error) {
  for (int i = 0; i < INPUTS; i++) {
    int32_t w = weights[i] + ((inputs[i] * error) >> 11);
    w = w < -(7 << 20) ? -(7 << 20) : w;
    weights[i] = w > 7 << 20 ? 7 << 20 : w;
  }
}

static uint32_t row_hash(uint32_t hash, uint32_t node) {
  return (hash + node * 0x9E3779B1u) * 0x2C1B3C6Du;
}

static int16_t *row_at(const cp_block *b, uint32_t context, uint32_t index) {
  return b->rows + (((size_t)context << ROW_BITS | index) << 4);
}

/* A guess of which rows will be found, so that memory has them by then. */
static void prefetch_rows(const cp_block *b, const uint32_t *hashes, uint32_t node) {
  for (uint32_t i = 0; i < CONTEXTS; i++)
    __builtin_prefetch(row_at(b, i, row_hash(hashes[i], node) >> (32 - ROW_BITS)));
}

/* The rows of contexts: one of two in a cache line each; if neither is theirs, the one that was used less is emptied. */
static void find_rows(const cp_block *b, const uint32_t *hashes, uint32_t node, int16_t **rows) {
  for (uint32_t i = 0; i < CONTEXTS; i++) {
    uint32_t at = row_hash(hashes[i], node), index = at >> (32 - ROW_BITS);
    int16_t *row = row_at(b, i, index), *other = row_at(b, i, index ^ 1), check = (int16_t)(at & 0x7FFF);
    if (row[0] != check && (other[0] == check || (other[1] & MOST) < (row[1] & MOST)))
      row = other;
    if (row[0] != check) {
      memset(row, 0, 16 * sizeof *row);
      row[0] = check;
    }
    rows[i] = row;
  }
}

/* The inputs of contexts, and what a bit teaches them. */
static void read_rows(const cp_functions *f, int16_t *const *rows, int place, int16_t *inputs) {
  for (int i = 0; i < CONTEXTS; i++) {
    int32_t state = rows[i][place];
    inputs[2 + i] = (int16_t)(f->logit[(state >> COUNT_BITS) + 2048]);
  }
}

static void teach_rows(const cp_functions *f, int16_t *const *rows, int place, int bit) {
  int32_t top = 1 << (15 - COUNT_BITS), target = bit ? top - 1 : -top;
  for (int i = 0; i < CONTEXTS; i++) {
    int32_t state = rows[i][place], count = state & MOST, old = state >> COUNT_BITS;
    int32_t next = old + (((target - old) * (int32_t)f->rate[count] + 32768) >> 16);
    rows[i][place] = (int16_t)((uint32_t)next << COUNT_BITS | (count < MOST ? count + 1 : count));
  }
}

/* How much a set of weights moves: less from time to time. */
static int16_t lesson(const cp_block *b, int32_t *rate, int bit, uint32_t mixed) {
  int32_t error = ((bit << 16) - (int32_t)mixed) * (*rate >> 16) >> 5;
  *rate -= (*rate - ((b->table ? FIRST_RATE : LAST_RATE) << 16)) >> 7;
  return (int16_t)error;
}

/* Whether the neighbours of a pixel are one value, and those of the first colour, too: then that is asked for first. */
static int all_equal(const uint8_t *p, const uint8_t *q, ptrdiff_t s) {
  int w = p[-1];
  return p[-s] == w && p[-s - 1] == w && p[1 - s] == w && p[-2] == w && p[-2 * s] == w &&
         (!q || (q[-1] == q[0] && q[-s] == q[0] && q[1 - s] == q[0]));
}

static void find_flat_contexts(const cp_block *b, const uint8_t *p, const uint8_t *q, int colour, int y,
                               int column, const cp_seen *seen, uint32_t *hashes) {
  ptrdiff_t s = (ptrdiff_t)b->shape.stride;
  uint32_t w = p[-1], place = (uint32_t)(y * 256 + column), further = 0;
  uint32_t different = seen->count < 15 ? seen->count : 15;
  static const int8_t dx[10] = {2, 1, -1, -2, -3, 3, 2, -2, 0, -4};
  static const int8_t dy[10] = {-1, -2, -2, -1, 0, -1, -2, -2, -3, 0};
  for (int i = 0; i < 10; i++)
    further |= (uint32_t)(p[dy[i] * s + dx[i]] == w) << i;
  uint32_t colours = q ? (uint32_t)(q[1] == q[0]) | (uint32_t)(q[s] == q[0]) << 1 | (uint32_t)(q[0] == w) << 2 : 0;
  uint32_t kind = (uint32_t)(colour + 1) | colours << 2;
  hashes[0] = hash(21, w | kind << 8);
  hashes[1] = hash(22, further | kind << 10);
  hashes[2] = hash(23, place | kind << 16);
  hashes[3] = hash(24, further | w << 10 | kind << 18);
  hashes[4] = hash(26, different | (further & 15) << 4 | kind << 8);
}

static int code_flat(cp_block *b, const uint32_t *hashes, int colour, int is_equal) {
  int16_t *rows[CONTEXTS];
  int16_t inputs[INPUTS];
  const cp_functions *f = b->f;
  find_rows(b, hashes, 0, rows);
  read_rows(f, rows, 1, inputs);
  inputs[0] = 256;
  inputs[1] = 0;
  inputs[INPUTS - 1] = 256;
  int set = 8 * SPREADS + colour + 1;
  uint32_t mixed = f->logistic[limit(dot(b->weights[set], inputs), 1 - LOGITS, LOGITS - 1) + LOGITS];
  int bit = code_bit(&b->coder, is_equal, mixed < 2 ? 2 : mixed > 65534 ? 65534 : mixed);
  adapt(b->weights[set], inputs, lesson(b, &b->rates[set], bit, mixed));
  teach_rows(f, rows, 1, bit);
  return bit;
}

/* Where the questions of a value stand in a distribution. */
typedef struct interval {
  const distribution *x;
  uint32_t low, high, middle; /* shares of what is below */
} interval;

/* The logit of a question. */
static int ask(const cp_functions *f, interval *i, int middle) {
  uint32_t share = below(f, i->x, middle);
  share = share <= i->low ? i->low + 1 : share;
  share = share >= i->high ? i->high - 1 : share;
  i->middle = share;
  return (log_of(f, i->high - share) - log_of(f, share - i->low)) >> 4;
}

static void answer(interval *i, int bit) {
  if (bit)
    i->low = i->middle;
  else
    i->high = i->middle;
}

static int code_value(cp_block *b, const pixel *of, const cp_seen *seen, int value) {
  const cp_functions *f = b->f;
  const distribution *x = b->table ? &of->distribution : &of->own;
  int16_t *rows[CONTEXTS];
  interval known = {x, 0, 1u << MIXTURE_BITS, 0}, own = {&of->own, 0, 1u << MIXTURE_BITS, 0};
  int low = 0, size = CP_VALUES, node = 1, different = seen->count, found = -1;
  int alphabet = different < 4 ? different : different < 8 ? 4 : different < 32 ? 5 : different < 100 ? 6 : 7;
  for (int bit_index = 0; bit_index < 8; bit_index++) {
    size >>= 1;
    int middle = low + size, right = value >> (7 - bit_index) & 1, bit, own_logit = 0;
    int logit = ask(f, &known, middle);
    if (b->table) {
      own_logit = limit(ask(f, &own, middle), 1 - LOGITS, LOGITS - 1);
      const int16_t *corrections = b->table + node * CP_CORRECTIONS;
      int32_t sum = 0;
      for (int j = 0; j < CP_CORRECTIONS; j++)
        sum += corrections[j] * x->numbers[j];
      logit += sum >> 12;
    }
    logit = limit(logit, 1 - LOGITS, LOGITS - 1);
    if (logit < -CERTAIN || logit > CERTAIN) {
      uint16_t *p = &b->certain[bit_index][logit > 0][(magnitude(logit) - CERTAIN) >> 6];
      uint32_t last = *p < 2 ? 2 : *p > 65534 ? 65534 : *p;
      bit = code_bit(&b->coder, right, last);
      *p = (uint16_t)(*p + (((bit ? 65535 : 0) - *p) >> 7));
    } else {
      int16_t inputs[INPUTS];
      if (found != bit_index >> 2) {
        found = bit_index >> 2;
        find_rows(b, of->hashes, found ? (uint32_t)node : 0, rows);
      }
      int place = bit_index < 4 ? node : (node & ((1 << (bit_index - 4)) - 1)) | 1 << (bit_index - 4);
      int set = bit_index * SPREADS + x->spread;
      inputs[0] = (int16_t)logit;
      read_rows(f, rows, place, inputs);
      inputs[1] = (int16_t)own_logit;
      inputs[INPUTS - 1] = 256;
      int position = limit(dot(b->weights[set], inputs), 1 - LOGITS, LOGITS - 1) + LOGITS;
      uint32_t mixed = f->logistic[position];
      int cell = position / REFINED_STEP, part = position % REFINED_STEP;
      int pattern = was_seen(seen, low, size) * 2 + was_seen(seen, middle, size);
      uint16_t *by_spread = b->by_spread + set * REFINED + cell;
      uint16_t *by_alphabet = b->by_alphabet + ((bit_index * 8 + alphabet) * 4 + pattern) * REFINED + cell;
      uint32_t last = (2 * mixed + refined(by_spread, part) + refined(by_alphabet, part)) >> 2;
      last = last < 2 ? 2 : last > 65534 ? 65534 : last;
      bit = code_bit(&b->coder, right, last);
      adapt(b->weights[set], inputs, lesson(b, &b->rates[set], bit, mixed));
      teach_rows(f, rows, place, bit);
      refine(by_spread, part, bit);
      refine(by_alphabet, part, bit);
    }
    if (bit)
      low = middle;
    answer(&known, bit);
    answer(&own, bit);
    node = 2 * node + bit;
  }
  return node - CP_VALUES;
}

/* Row i of a step, whose plane and first row of pixels are given. */
static void prepare(cp_block *b, int k, int top, int column, size_t i, const int16_t *words, pixel *x) {
  const cp_shape *shape = &b->shape;
  int row = (int)(i / b->count), y = top + row, left = column - CP_REACH * row, colour = cp_colour(shape, k);
  size_t at = (size_t)(y + CP_REACH) * shape->stride + (size_t)left + CP_REACH, plane = (size_t)k * shape->plane;
  ptrdiff_t stride = (ptrdiff_t)shape->stride;
  x->image = i % b->count;
  uint8_t *planes = cp_block_planes(b, x->image), *p = planes + plane + at;
  int8_t *e = b->errors + x->image * shape->image + plane + at;
  const uint8_t *q = colour >= 1 ? planes + (size_t)(shape->channels == 4) * shape->plane + at : NULL;
  const uint8_t *r = colour >= 2 ? q + shape->plane : NULL;
  x->p = p;
  x->e = e;
  int is_flat = all_equal(p, q, stride), base = cp_base(p, q, stride);
  x->is_flat = !words && is_flat;
  if (x->is_flat) {
    find_flat_contexts(b, p, q, colour, y, left, b->seen + x->image, x->flat_hashes);
    prefetch_rows(b, x->flat_hashes, 0);
  }
  int16_t guessed[CP_OUTPUTS];
  expect(b, b->predictors + (colour < 0 ? 0 : colour), p, q, r, e, base, is_flat, &x->guess, guessed);
  mix(b, base, guessed, GUESSES, &x->own);
  distribution *d = &x->own;
  if (words) {
    d = &x->distribution;
    mix(b, base, words, CP_COMPONENTS, d);
    for (int j = 0; j < CP_CORRECTIONS; j++)
      d->numbers[j] = (int16_t)limit(words[3 * CP_COMPONENTS + j], -4095, 4095);
  }
  find_contexts(b, p, q, e, colour, d, x->hashes);
  if (!x->is_flat) {
    prefetch_rows(b, x->hashes, 0);
    prefetch_rows(b, x->hashes, 16u + (uint32_t)(d->expected >> 4));
  }
}

void cp_block_code(cp_block *block, int step, const int16_t *words) {
  size_t count = cp_block_row_count(block, step);
  int k, column, rows, top = first_row(&block->shape, step, &k, &column, &rows);
  int colour = cp_colour(&block->shape, k);
  predictors *known = block->predictors + (colour < 0 ? 0 : colour);
  pixel pixels[2];
  prepare(block, k, top, column, 0, words, pixels);
  for (size_t i = 0; i < count; i++) {
    pixel *x = pixels + i % 2;
    if (i + 1 < count)
      prepare(block, k, top, column, i + 1, words ? words + (i + 1) * CP_OUTPUTS : NULL,
              pixels + (i + 1) % 2);
    if (x->is_flat && code_flat(block, x->flat_hashes, colour, *x->p == x->p[-1])) {
      *x->p = x->p[-1];
      *x->e = 0;
      continue;
    }
    int value = code_value(block, x, block->seen + x->image, *x->p);
    *x->p = (uint8_t)value;
    *x->e = (int8_t)limit(value - (words ? x->distribution : x->own).expected, -127, 127);
    learn(known, &x->guess, value);
  }
}
