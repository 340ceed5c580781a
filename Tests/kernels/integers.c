/*
 * Networks in integers on every kernel path this processor has, against an interpreter of the format's arithmetic in 64-bit
 * integers: single layers, nodes without weights, and random lists of nodes. All must be equal. Shapes have odd sizes,
 * weights and inputs lie at their ends as often as between. Its argument is the number of random lists a path:
 *
 *   integers [lists]
 *
 * One line a check, "ok" or "NOT OK"; exits 1 if one failed.
 */
#include "CKernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NODES = 24, MOST_ROWS = 29, MOST_NUMBERS = 4000, MOST_WORDS_IN = 1000 };
enum { BYTES, WORDS, SUMS, FLOATS };

static int failures;
static uint32_t state = 7;

static uint32_t draw(void) {
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}
/* A number in first ... last. */
static int32_t between(int32_t first, int32_t last) {
  return first + (int32_t)(draw() % (uint32_t)(last - first + 1));
}

static void report(int failed, const char *what) {
  printf("%s %s: %s\n", failed ? "NOT OK  " : "ok      ", ck_path_name(ck_path()), what);
  fflush(stdout);
  failures += failed != 0;
}

/* What a test takes, given back together. */
static void *taken[16 * MOST_NODES];
static size_t taken_count;

static void *take(size_t byte_count) {
  return taken[taken_count++] = aligned_alloc(64, (byte_count + 64) / 64 * 64);
}
static void give_all(void) {
  while (taken_count)
    free(taken[--taken_count]);
}

/* ---- The arithmetic, as the format's page has it ---- */

typedef struct shape {
  int32_t height, width, channels;
} shape;

static size_t size_of(shape s) {
  return (size_t)s.height * (size_t)s.width * (size_t)s.channels;
}

typedef struct node {
  ck_integer_layer layer;
  shape in[2], out;
  int wide; /* what it reads is words */
} node;

static int64_t clamp(int64_t t, int64_t low, int64_t high) {
  return t < low ? low : t > high ? high : t;
}
static int64_t scaled(int64_t sum, int32_t multiplier, int shift) {
  return (sum * multiplier + ((int64_t)1 << (shift - 1))) >> shift;
}

/* Every sum of a layer; of a convolution as a sum over all pairs of a fine pixel and a coarse one. */
static void layer_sums(const node *n, const int32_t *x, int64_t *sums) {
  const ck_integer_layer *l = &n->layer;
  const ck_convolution *g = &l->convolution;
  size_t channels = g->kernel ? (size_t)n->out.channels : l->outputs, from = g->kernel ? (size_t)n->in[0].channels : l->inputs;
  for (size_t i = 0; i < size_of(n->out); i++)
    sums[i] = l->bias[i % channels];
  if (!g->kernel) {
    for (size_t o = 0; o < channels; o++)
      for (size_t i = 0; i < from; i++)
        sums[o] += l->weights[o * from + i] * (int64_t)x[i];
    return;
  }
  size_t k = (size_t)g->kernel;
  for (int32_t cy = 0; cy < g->coarse_height; cy++)
    for (int32_t cx = 0; cx < g->coarse_width; cx++)
      for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++) {
          int32_t fy = cy * g->stride - g->padding + (int32_t)i, fx = cx * g->stride - g->padding + (int32_t)j;
          if (fy < 0 || fy >= g->fine_height || fx < 0 || fx >= g->fine_width)
            continue;
          size_t fine = (size_t)(fy * g->fine_width + fx), coarse = (size_t)(cy * g->coarse_width + cx);
          size_t source = g->transposed ? coarse : fine, target = g->transposed ? fine : coarse;
          for (size_t o = 0; o < channels; o++)
            for (size_t c = 0; c < from; c++) {
              int8_t w = l->weights[g->transposed ? ((i * k + j) * channels + o) * from + c : ((o * k + i) * k + j) * from + c];
              sums[target * channels + o] += w * ((int64_t)x[source * from + c] - l->zero);
            }
        }
}

static void pool(const node *n, const int32_t *x, int32_t *y) {
  const ck_convolution *g = &n->layer.convolution;
  for (int32_t row = 0; row < n->out.height; row++)
    for (int32_t column = 0; column < n->out.width; column++)
      for (int32_t c = 0; c < n->out.channels; c++) {
        int64_t sum = 0, most = 0, count = 0;
        for (int32_t i = 0; i < n->in[0].height; i++)
          for (int32_t j = 0; j < n->in[0].width; j++) {
            int32_t down = i - (row * g->stride - g->padding), right = j - (column * g->stride - g->padding);
            if (g->kernel > 0 && (down < 0 || down >= g->kernel || right < 0 || right >= g->kernel))
              continue;
            int32_t byte = x[(i * n->in[0].width + j) * n->out.channels + c];
            sum += byte, count++, most = byte > most ? byte : most;
          }
        *y++ = (int32_t)(n->layer.node.operation == CK_MAX_POOL ? most : (2 * sum + count) / (2 * count));
      }
}

/* One row of a node; `kind` is what a layer gives. */
static void interpret(const node *n, int kind, const int32_t *x0, const int32_t *x1, int32_t *y) {
  const ck_integer_layer *l = &n->layer;
  size_t count = size_of(n->out), channels = (size_t)n->out.channels;
  size_t pixels = count / channels, a = (size_t)n->in[0].channels, b = (size_t)n->in[1].channels;
  switch (l->node.operation) {
  case CK_LAYER: {
    static int64_t sums[MOST_NUMBERS];
    layer_sums(n, x0, sums);
    for (size_t i = 0; i < count; i++) {
      int64_t t = scaled(sums[i], l->multiplier[l->convolution.kernel ? i % channels : i], l->shift);
      y[i] = kind == BYTES   ? l->table[clamp(t, -2048, 2047) + 2048]
             : kind == WORDS ? (int32_t)clamp(t, -16383, 16383)
                             : (int32_t)sums[i];
      if (sums[i] != (int32_t)sums[i])
        abort(); /* The test itself is wrong: a sum leaves 32 bits. */
    }
    return;
  }
  case CK_ADD:
    for (size_t i = 0; i < count; i++) {
      int64_t t = (int64_t)(x0[i] - l->zero) * l->multiplier[0] + (int64_t)(x1[i] - l->second_zero) * l->multiplier[1];
      y[i] = l->table[clamp((t + ((int64_t)1 << (l->shift - 1))) >> l->shift, -2048, 2047) + 2048];
    }
    return;
  case CK_ACTIVATE:
    for (size_t i = 0; i < count; i++)
      y[i] = l->table[x0[i]];
    return;
  case CK_CONCATENATE:
    for (size_t i = 0; i < count; i++) {
      size_t p = i / channels, c = i % channels;
      y[i] = c < a ? l->table[x0[p * a + c]] : l->table[256 + x1[p * b + c - a]];
    }
    return;
  case CK_MEAN_POOL:
  case CK_MAX_POOL:
    pool(n, x0, y);
    return;
  case CK_UPSAMPLE:
    for (size_t i = 0; i < count; i++) {
      size_t f = (size_t)l->convolution.stride, wide = (size_t)n->out.width, p = i / channels;
      y[i] = x0[((p / wide / f) * (wide / f) + p % wide / f) * channels + i % channels];
    }
    return;
  case CK_CHANNELS_FIRST:
    pixels = (size_t)n->in[0].height * (size_t)n->in[0].width;
    for (size_t i = 0; i < count; i++)
      y[i] = x0[i % pixels * a + i / pixels];
    return;
  case CK_CHANNELS_LAST:
    for (size_t i = 0; i < count; i++)
      y[i] = x0[i % channels * pixels + i / channels];
    return;
  default:
    memcpy(y, x0, count * sizeof *y);
  }
}

/* ---- Drawing networks ---- */

/* Weights of one character: anything, ends alone, one end alone, most of them zero, most of them small. */
static int8_t *draw_weights(size_t count, int most) {
  int8_t *w = take(count);
  uint32_t character = draw() % 6;
  int end = draw() % 2 ? most : -most;
  for (size_t i = 0; i < count; i++)
    w[i] = (int8_t)(character == 0   ? end
                    : character == 1 ? draw() % 2 ? most : -most
                    : character == 2 ? draw() % 8 ? 0 : between(-most, most)
                    : character == 3 ? draw() % 16 ? between(-most / 4, most / 4) : between(-most, most)
                                     : between(-most, most));
  return w;
}

static void draw_numbers(size_t count, int wide, void *numbers) {
  int32_t low = wide ? -16383 : 0, high = wide ? 16383 : 255;
  uint32_t character = draw() % 5;
  for (size_t i = 0; i < count; i++) {
    int32_t x = character == 0   ? high
                : character == 1 ? draw() % 2 ? low : high
                : character == 2 ? draw() % 8 ? 0 : between(low, high)
                                 : between(low, high);
    if (wide)
      ((int16_t *)numbers)[i] = (int16_t)x;
    else
      ((uint8_t *)numbers)[i] = (uint8_t)x;
  }
}

static uint8_t *draw_table(size_t count) {
  uint8_t *table = take(count);
  for (size_t i = 0; i < count; i++)
    table[i] = (uint8_t)draw();
  return table;
}

/* A shift, and multipliers that make of numbers up to `reach` some that a table has, most of the time. */
static void draw_scales(node *n, size_t count, double reach) {
  int32_t *multiplier = take(count * sizeof *multiplier);
  int wild = draw() % 6 == 0;
  n->layer.shift = wild ? between(1, 62) : between(20, 44);
  for (size_t i = 0; i < count; i++) {
    double m = (double)between(200, 9000) * (double)((int64_t)1 << n->layer.shift) / reach;
    multiplier[i] = wild ? (int32_t)((draw() << 8 ^ draw()) & 0x7fffffff) : m < 2147483647.0 ? (int32_t)m : 2147483647;
  }
  n->layer.multiplier = multiplier;
}

/* Gives a layer weights and all that goes with them; its geometry is there. */
static void draw_layer(node *n) {
  ck_integer_layer *l = &n->layer;
  const ck_convolution *g = &l->convolution;
  size_t channels = g->kernel ? (size_t)n->out.channels : l->outputs;
  size_t terms = g->kernel ? (size_t)(g->kernel * g->kernel * n->in[0].channels) : l->inputs;
  int64_t largest = n->wide ? 16383 : 255;
  l->narrow = (int32_t)(draw() % 2);
  l->weights = draw_weights(terms * channels, l->narrow ? 63 : 127);
  l->zero = g->kernel && !n->wide ? draw() % 3 ? between(0, 255) : draw() % 2 ? 255 : 0 : 0;
  /* The format's bound: |bias| + sum |w| m < 2^31. */
  int32_t *bias = take(channels * sizeof *bias);
  int64_t room = 2147483647 - (int64_t)terms * (l->narrow ? 63 : 127) * largest;
  for (size_t o = 0; o < channels; o++)
    bias[o] = between(-(int32_t)(room < 2000000 ? room : 2000000), (int32_t)(room < 2000000 ? room : 2000000));
  l->bias = bias;
  draw_scales(n, channels, 8.0 * (l->narrow ? 63 : 127) * (double)largest);
  l->table = draw_table(CK_TABLE_COUNT);
}

static int pack(node *n) {
  if (n->layer.node.operation != CK_LAYER)
    return 0;
  /* Poisoned: what packing does not write must not be read. */
  size_t size = ck_integer_layer_size(&n->layer);
  void *packed = take(size);
  memset(packed, 0x5a, size);
  n->layer.packed = packed;
  return ck_integer_layer_pack(&n->layer, packed);
}

/* A convolution from `in`; of 0 outputs if it would be too large. */
static node draw_convolution(shape in) {
  node n = {.in = {in}};
  int transposed = (int)(draw() % 2);
  int32_t k = between(1, 5), s = between(1, 3), p = between(0, k - 1), channels = between(1, 1 + (int32_t)(draw() % 40));
  shape out = {0, 0, channels};
  if (transposed) {
    /* Any size that rounds to the same coarse one. */
    out.height = (in.height - 1) * s - 2 * p + k + between(0, s - 1);
    out.width = (in.width - 1) * s - 2 * p + k + between(0, s - 1);
  } else {
    if (in.height + 2 * p < k || in.width + 2 * p < k)
      return n;
    out.height = (in.height + 2 * p - k) / s + between(0, 1) + 1;
    out.width = (in.width + 2 * p - k) / s + between(0, 1) + 1;
  }
  if (out.height < 1 || out.width < 1 || size_of(out) > MOST_NUMBERS)
    return n;
  shape fine = transposed ? out : in, coarse = transposed ? in : out;
  n.out = out;
  n.layer.convolution = (ck_convolution){fine.width,      fine.height, fine.channels, coarse.width, coarse.height,
                                         coarse.channels, k,           s,             p,            transposed};
  size_t columns = (size_t)(k * k * fine.channels);
  n.layer.inputs = transposed ? (size_t)in.channels : columns;
  n.layer.outputs = transposed ? columns : (size_t)channels;
  return n;
}

static node draw_dense(shape in) {
  node n = {.in = {in}};
  n.out = draw() % 3 ? (shape){1, 1, between(1, 150)} : (shape){between(1, 7), between(1, 7), between(1, 9)};
  n.layer.inputs = size_of(in);
  n.layer.outputs = size_of(n.out);
  return n;
}

static node draw_pool(shape in) {
  node n = {.in = {in}};
  int mean = (int)(draw() % 2), whole = mean && draw() % 3 == 0;
  int32_t k = whole ? -1 : between(1, 4), s = whole ? 1 : between(1, 3), p = mean ? 0 : between(0, k - 1);
  n.out = (shape){whole ? 1 : (in.height + 2 * p - k) / s + 1, whole ? 1 : (in.width + 2 * p - k) / s + 1, in.channels};
  if (!whole && (in.height + 2 * p < k || in.width + 2 * p < k))
    n.out.height = 0;
  n.layer.convolution = (ck_convolution){in.width,     in.height,  in.channels, n.out.width, n.out.height,
                                         in.channels, k,           s,           p,           0};
  n.layer.node.operation = mean ? CK_MEAN_POOL : CK_MAX_POOL;
  return n;
}

/* A node that only moves numbers, which words may pass as well. */
static node draw_move(shape in) {
  node n = {.in = {in}, .out = in};
  int32_t pixels = in.height * in.width;
  n.layer.node.pixels = pixels;
  n.layer.node.channels[0] = in.channels;
  switch (draw() % 3) {
  case 0:
    n.layer.node.operation = CK_RESHAPE;
    n.out = pixels % 2 == 0 ? (shape){2, pixels / 2, in.channels} : (shape){1, 1, pixels * in.channels};
    break;
  case 1:
    n.layer.node.operation = CK_CHANNELS_FIRST;
    n.out = in.channels > 1 ? (shape){in.channels, in.height, in.width} : in;
    break;
  default:
    n.layer.node.operation = CK_CHANNELS_LAST;
    n.out = in;
  }
  return n;
}

/* The second source of a node of two, or -1: -2 and lower is none. `shapes` has the input before node 0. */
static node draw_of_two(size_t count, const node *nodes, shape input, int words, size_t first, int *second) {
  node n = {0};
  shape a = first ? nodes[first - 1].out : input;
  for (size_t tries = 0; tries < 20; tries++) {
    size_t at = draw() % (count + 1);
    if (words && at == 0)
      continue;
    shape b = at ? nodes[at - 1].out : input;
    if (at && nodes[at - 1].wide && nodes[at - 1].layer.node.operation != CK_LAYER)
      continue;
    int add = (int)(draw() % 2);
    if (add ? size_of(a) != size_of(b) || a.channels != b.channels : a.height * a.width != b.height * b.width)
      continue;
    n.in[0] = a, n.in[1] = b, n.out = a;
    *second = (int)at;
    if (add) {
      n.layer.node.operation = CK_ADD;
      draw_scales(&n, 2, 255);
      n.layer.zero = between(0, 255), n.layer.second_zero = between(0, 255);
      n.layer.table = draw_table(CK_TABLE_COUNT);
    } else {
      n.layer.node.operation = CK_CONCATENATE;
      n.layer.node.pixels = a.height * a.width;
      n.layer.node.channels[0] = a.channels, n.layer.node.channels[1] = b.channels;
      n.out.channels += b.channels;
      n.layer.table = draw_table(512);
    }
    return n;
  }
  return n;
}

/* Draws a list for words or bytes, all of whose numbers fit in the arrays. Returns how many nodes it has. */
static size_t draw_list(node *nodes, shape input, int words) {
  size_t wanted = 1 + draw() % (MOST_NODES - 3), count = 0;
  int layers = 0, moving = words; /* until its first layer, what a decoder has is words */
  for (int tries = 0; tries < 400 && count < wanted; tries++) {
    size_t first = moving || draw() % 3 ? count : draw() % (count + 1);
    int second = 0;
    if (words && !moving && (first == 0 || (nodes[first - 1].wide && nodes[first - 1].layer.node.operation != CK_LAYER)))
      continue;
    shape in = first ? nodes[first - 1].out : input;
    node n;
    switch (draw() % (moving ? 4 : 10)) {
    case 0:
      n = draw_move(in);
      break;
    case 1:
      n = draw_dense(in);
      break;
    case 2:
    case 3:
    case 4:
      n = draw_convolution(in);
      break;
    case 5:
      n = draw_pool(in);
      break;
    case 6:
      n = (node){.in = {in}, .out = in};
      n.layer.node.operation = CK_ACTIVATE;
      n.layer.table = draw_table(256);
      break;
    case 7: {
      int32_t f = between(2, 3);
      n = (node){.in = {in}, .out = {f * in.height, f * in.width, in.channels}};
      n.layer.node.operation = CK_UPSAMPLE;
      n.layer.convolution = (ck_convolution){n.out.width, n.out.height, in.channels, in.width, in.height,
                                             in.channels, f,            f,           0,        1};
      break;
    }
    default:
      n = draw_of_two(count, nodes, input, words, first, &second);
    }
    size_t terms = n.layer.convolution.kernel > 0 && n.layer.node.operation == CK_LAYER
                       ? (size_t)(n.layer.convolution.kernel * n.layer.convolution.kernel * n.in[0].channels)
                       : size_of(n.in[0]);
    if (size_of(n.out) < 1 || size_of(n.out) > MOST_NUMBERS || (moving && terms > MOST_WORDS_IN))
      continue;
    n.wide = moving;
    n.layer.node.back[0] = (int32_t)(count - first);
    n.layer.node.back[1] = (int32_t)count - second;
    if (n.layer.node.operation == CK_LAYER) {
      draw_layer(&n);
      moving = 0, layers++;
    } else {
      n.layer.inputs = size_of(n.in[0]);
      n.layer.outputs = size_of(n.out);
    }
    nodes[count++] = n;
  }
  /* It ends in a layer, or for words in a reshape behind one. */
  shape in = count ? nodes[count - 1].out : input;
  if (moving && size_of(in) > MOST_WORDS_IN)
    return 0;
  node last = draw() % 2 ? draw_convolution(in) : draw_dense(in);
  if (size_of(last.out) < 1 || (moving && last.layer.inputs > MOST_WORDS_IN))
    last = draw_dense(in);
  last.wide = moving;
  draw_layer(&last);
  nodes[count++] = last;
  if (words && draw() % 2) {
    nodes[count] = draw_move(last.out);
    nodes[count].layer.inputs = nodes[count].layer.outputs = size_of(last.out);
    count++;
  }
  return count;
}

/* ---- Tests ---- */

static int32_t values[MOST_NODES + 1][MOST_NUMBERS];

/* One row through the list; what it gives is in the values of its last node. */
static void interpret_list(const node *nodes, size_t count, int words, int kind, const void *x, size_t inputs) {
  size_t end = count - 1;
  while (end > 0 && nodes[end].layer.node.operation != CK_LAYER)
    end--;
  for (size_t i = 0; i < inputs; i++)
    values[0][i] = words ? ((const int16_t *)x)[i] : ((const uint8_t *)x)[i];
  for (size_t n = 0; n < count; n++) {
    const int32_t *back = nodes[n].layer.node.back;
    interpret(&nodes[n], n == end ? kind : BYTES, values[n - (size_t)back[0]], values[n - (size_t)back[1]], values[n + 1]);
  }
}

static int differs(int kind, const void *y, size_t at, int32_t wanted, float scale) {
  return kind == BYTES   ? ((const uint8_t *)y)[at] != wanted
         : kind == WORDS ? ((const int16_t *)y)[at] != wanted
         : kind == SUMS  ? ((const int32_t *)y)[at] != wanted
                         : ((const float *)y)[at] != (float)wanted * scale;
}

static void test_layers(void) {
  int failed[2] = {0};
  for (int round = 0; round < 120; round++) {
    shape in = round % 2 ? (shape){between(1, 9), between(1, 9), between(1, 1 + (int32_t)(draw() % 50))}
                         : (shape){1, 1, between(1, 1 + (int32_t)(draw() % (round % 8 ? 300 : 2500)))};
    node n = round % 2 ? draw_convolution(in) : draw_dense(in);
    n.wide = (int)(draw() % 2);
    if (size_of(n.out) < 1 || (n.wide && n.layer.inputs > MOST_WORDS_IN) || size_of(in) > MOST_NUMBERS)
      continue;
    draw_layer(&n);
    failed[round % 2] += pack(&n);
    /* A dense layer's weights serve without being packed. */
    if (!n.layer.convolution.kernel && draw() % 8 == 0)
      n.layer.packed = NULL;
    size_t rows = 1 + draw() % MOST_ROWS, inputs = size_of(in), outputs = size_of(n.out);
    void *x = take(rows * inputs * 2), *y = take(rows * outputs * 4);
    draw_numbers(rows * inputs, n.wide, x);
    for (int kind = BYTES; kind <= SUMS; kind++) {
      if (n.wide && kind == WORDS)
        continue;
      failed[round % 2] += n.wide          ? kind == BYTES ? ck_integer_words_to_bytes(&n.layer, rows, x, y)
                                                           : ck_integer_words_to_sums(&n.layer, rows, x, y)
                           : kind == BYTES ? ck_integer_bytes_to_bytes(&n.layer, rows, x, y)
                           : kind == WORDS ? ck_integer_bytes_to_words(&n.layer, rows, x, y)
                                           : ck_integer_bytes_to_sums(&n.layer, rows, x, y);
      for (size_t i = 0; i < rows; i++) {
        interpret_list(&n, 1, n.wide, kind, (const uint8_t *)x + i * inputs * (n.wide ? 2 : 1), inputs);
        for (size_t o = 0; o < outputs; o++)
          failed[round % 2] += differs(kind, y, i * outputs + o, values[1][o], 1);
      }
    }
    give_all();
  }
  give_all();
  report(failed[0], "dense layers give bytes, words and sums of bytes and of words");
  report(failed[1], "convolutions, transposed or not, give bytes, words and sums of bytes and of words");
}

static void test_lists(int lists) {
  int failed[2] = {0}, failed_nodes = 0;
  for (int round = 0; round < lists; round++) {
    int words = round % 2;
    node nodes[MOST_NODES] = {0};
    ck_integer_layer layers[MOST_NODES];
    shape input = words && draw() % 2 ? (shape){1, 1, between(1, 40)}
                                      : (shape){between(1, 9), between(1, 9), between(1, 8)};
    size_t count = draw_list(nodes, input, words), inputs = size_of(input);
    if (count == 0)
      continue;
    size_t rows = 1 + draw() % (draw() % 2 ? 3 : MOST_ROWS), outputs = size_of(nodes[count - 1].out);
    for (size_t n = 0; n < count; n++) {
      failed[words] += pack(&nodes[n]);
      layers[n] = nodes[n].layer;
    }
    void *x = take(rows * inputs * 2), *y = take(rows * outputs * 4);
    float *scales = take(outputs * sizeof *scales);
    for (size_t i = 0; i < outputs; i++)
      scales[i] = (float)draw() * 1e-6f;
    draw_numbers(rows * inputs, words, x);
    int kinds[] = {words ? BYTES : WORDS, FLOATS};
    for (int kind = 0; kind < (words || nodes[count - 1].layer.convolution.kernel ? 1 : 2); kind++) {
      ck_set_thread_count(1 + (int)(draw() % 3));
      failed[words] += words                   ? ck_integer_network_bytes(layers, count, rows, x, y)
                       : kinds[kind] == WORDS ? ck_integer_network_words(layers, count, rows, x, y)
                                              : ck_integer_network_floats(layers, count, rows, x, scales, y);
      int wrong = 0;
      for (size_t i = 0; i < rows; i++) {
        interpret_list(nodes, count, words, kinds[kind], (const uint8_t *)x + i * inputs * (words ? 2 : 1), inputs);
        for (size_t o = 0; o < outputs; o++)
          wrong += differs(kinds[kind], y, i * outputs + o, values[count][o], scales[o]);
        /* The nodes without weights, one at a time. */
        for (size_t n = 0; i == 0 && n < count; n++) {
          const ck_integer_layer *l = &layers[n];
          uint8_t from[2][2 * MOST_NUMBERS], to[2 * MOST_NUMBERS];
          int wide = nodes[n].wide;
          if (l->node.operation == CK_LAYER)
            continue;
          for (int s = 0; s < 2; s++)
            for (size_t v = 0; v < size_of(nodes[n].in[s]); v++) {
              int32_t value = values[n - (size_t)l->node.back[s]][v];
              if (wide)
                memcpy(from[s] + 2 * v, &(int16_t){(int16_t)value}, 2);
              else
                from[s][v] = (uint8_t)value;
            }
          if (wide)
            ck_integer_move(l, 1, (const int16_t *)(const void *)from[0], (int16_t *)(void *)to);
          else
            ck_integer_node(l, 1, from[0], size_of(nodes[n].in[1]) ? from[1] : NULL, to);
          for (size_t v = 0; v < l->outputs; v++)
            failed_nodes += differs(wide ? WORDS : BYTES, to, v, values[n + 1][v], 1);
        }
      }
      if (wrong) {
        printf("# list %d, %zu rows of %dx%dx%d:", round, rows, input.height, input.width, input.channels);
        for (size_t n = 0; n < count; n++)
          printf(" %d(%d,%d)>%dx%dx%d", layers[n].node.operation, layers[n].node.back[0], layers[n].node.back[1],
                 nodes[n].out.height, nodes[n].out.width, nodes[n].out.channels);
        printf("\n");
      }
      failed[words] += wrong;
    }
    give_all();
  }
  ck_set_thread_count(0);
  give_all();
  report(failed[0], "random lists of nodes give words and floats of bytes");
  report(failed[1], "random lists of nodes give bytes of words");
  report(failed_nodes, "nodes without weights give alone what they give in lists");
}

int main(int argc, char **argv) {
  int lists = argc > 1 ? atoi(argv[1]) : 300;
  for (int path = 0; path < CK_PATH_COUNT; path++) {
    if (!ck_path_select(path))
      continue;
    state = 7;
    test_layers();
    test_lists(lists);
  }
  return failures != 0;
}
