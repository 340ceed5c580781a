/*
 * Every kernel path this processor has against plain loops: products, trained layers, passes and integer
 * layers, on shapes with odd sizes. The Swift tests say more; this is a program of its own because it also
 * runs where no Swift does, on another processor under an emulator. Its argument is the path that the
 * dispatch is expected to choose by itself:
 *
 *   paths [generic|avx2|avx512|neon|dotprod]
 *
 * One line a check, "ok" or "NOT OK"; exits 1 if one failed.
 */
#include "CKernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;
static uint32_t state = 1;

static uint32_t draw(void) {
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

static void report(int failed, const char *what) {
  printf("%s %s: %s\n", failed ? "NOT OK  " : "ok      ", ck_path_name(ck_path()), what);
  fflush(stdout);
  failures += failed != 0;
}

/* A third of them zero, as in pictures. */
static float *floats(size_t count) {
  float *x = malloc((count + 1) * sizeof *x);
  for (size_t i = 0; i < count; i++)
    x[i] = draw() % 3 == 0 ? 0 : (float)(draw() % 2001) * 1e-3f - 1;
  return x;
}

static double activate(int f, double x) {
  switch (f & 255) {
  case CK_SIGMOID:
    return 1 / (1 + exp(-x));
  case CK_RELU:
    return fmax(x, 0);
  case CK_ELU:
    return x < 0 ? expm1(x) : x;
  case CK_LEAKY_RELU:
    return x < 0 ? x * (f >> 8) / 1000 : x;
  case CK_SILU:
    return x / (1 + exp(-x));
  case CK_GELU:
    return x * erfc(-x * 0.70710678118654752440) / 2;
  case CK_GELU_TANH:
    return x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))) / 2;
  case CK_TANH:
    return tanh(x);
  default:
    return x;
  }
}

/* f'(x), by differences. */
static double slope(int f, double x) {
  return (activate(f, x + 1e-6) - activate(f, x - 1e-6)) / 2e-6;
}

static const int activations[] = {CK_IDENTITY, CK_SIGMOID, CK_RELU, CK_ELU, CK_TANH, CK_LEAKY_RELU + 256 * 200,
                                  CK_LEAKY_RELU + 256 * 10, CK_SILU, CK_GELU, CK_GELU_TANH};
enum { ACTIVATIONS = sizeof activations / sizeof *activations, ACTIVATIONS_BY_VALUE = 7 };

static int differs(double got, double wanted, double tolerance) {
  return !(fabs(got - wanted) <= tolerance * (1 + fabs(wanted)));
}

static void test_products(void) {
  static const size_t shapes[][3] = {{1, 1, 1},    {1, 37, 50},  {3, 5, 0},    {7, 33, 65},
                                     {30, 61, 47}, {20, 16, 600}, {41, 5, 120}, {9, 130, 5}};
  for (int ta = 0; ta < 2; ta++)
    for (int tb = 0; tb < 2; tb++) {
      int failed = 0;
      for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
        float *a = floats(m * k), *b = floats(n * k), *c = floats(m * n), *bias = floats(n);
        float *before = malloc(m * n * sizeof *before);
        for (int f = CK_IDENTITY; f <= CK_ELU; f++) {
          memcpy(before, c, m * n * sizeof *c);
          failed += ck_sgemm(ta, tb, m, n, k, a, ta ? m : k, b, tb ? k : n, c, n, f & 1 ? bias : NULL, f, f > 1);
          for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++) {
              double sum = (f & 1 ? bias[j] : 0) + (f > 1 ? before[i * n + j] : 0);
              for (size_t l = 0; l < k; l++)
                sum += (double)a[ta ? l * m + i : i * k + l] * b[tb ? j * k + l : l * n + j];
              failed += differs(c[i * n + j], activate(f, sum), 2e-5);
            }
        }
        free(a), free(b), free(c), free(bias), free(before);
      }
      char what[80];
      snprintf(what, sizeof what, "products, A%s and B%s, are those of plain loops", ta ? "'" : "", tb ? "'" : "");
      report(failed, what);
    }
}

/* Bit for bit. */
static void test_training_products(void) {
  static const size_t shapes[][3] = {{1, 1, 1}, {5, 90, 20}, {90, 5, 20}, {37, 70, 33}, {20, 33, 600}, {3, 4, 0}};
  int failed = 0, failed_gradient = 0;
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2], count = m * n;
    float *dy = floats(k * m), *x = floats(k * n), *dw = floats(count), *below = floats(count);
    float *one[4], *other[4];
    for (int i = 0; i < 4; i++) {
      one[i] = floats(count), other[i] = malloc((count + 1) * sizeof(float));
      for (size_t j = 0; i == 2 && j < count; j++)
        one[i][j] *= one[i][j];
      memcpy(other[i], one[i], count * sizeof(float));
    }
    failed += ck_sgemm(1, 0, m, n, k, dy, m, x, n, dw, n, NULL, CK_IDENTITY, 0);
    ck_adam_step step = {one[0], one[1], one[2], one[3], 1e-2f, 0.9f, 0.999f, 1e-8f, 0.5f, 0.25f, 0.75f};
    ck_adam(count, dw, &step);
    step.weights = other[0], step.m = other[1], step.v = other[2], step.average = other[3];
    failed += ck_sgemm_weight_gradient(m, n, k, dy, x, dw, &step);
    for (int i = 0; i < 4; i++)
      failed += memcmp(one[i], other[i], count * sizeof(float)) != 0;
    for (int f = CK_IDENTITY; f <= CK_ELU; f++) {
      failed_gradient += ck_sgemm(0, 0, m, n, k, dy, k, x, n, one[0], n, NULL, CK_IDENTITY, 0);
      ck_activation_gradient(f, count, below, one[0]);
      failed_gradient += ck_sgemm_input_gradient(m, n, k, dy, x, below, f, other[0]);
      failed_gradient += memcmp(one[0], other[0], count * sizeof(float)) != 0;
    }
    free(dy), free(x), free(dw), free(below);
    for (int i = 0; i < 4; i++)
      free(one[i]), free(other[i]);
  }
  report(failed, "a weight gradient with a step is the product and then the step");
  report(failed_gradient, "an input gradient is the product and then the derivative");
}

static void test_dense(void) {
  static const size_t widths[] = {784, 100, 33, 5};
  enum { LAYERS = 3, ROWS = 23 };
  ck_dense_layer layers[LAYERS];
  float *weights[LAYERS], *bias[LAYERS];
  for (int l = 0; l < LAYERS; l++) {
    size_t inputs = widths[l], outputs = widths[l + 1];
    weights[l] = floats(inputs * outputs), bias[l] = floats(outputs);
    for (size_t i = 0; i < inputs * outputs; i++)
      weights[l][i] *= 0.1f;
    layers[l] = (ck_dense_layer){inputs, outputs, l < 2 ? CK_ELU : CK_IDENTITY, .bias = bias[l]};
    ck_dense_prepare(&layers[l], weights[l]);
  }
  uint8_t *bytes = malloc(ROWS * 784);
  for (size_t i = 0; i < ROWS * 784; i++)
    bytes[i] = draw() % 3 ? (uint8_t)draw() : 0;
  double *wanted = malloc(ROWS * 784 * sizeof *wanted), *next = malloc(ROWS * 784 * sizeof *next);
  for (size_t i = 0; i < ROWS * 784; i++)
    wanted[i] = bytes[i] / 255.0;
  for (int l = 0; l < LAYERS; l++) {
    for (size_t i = 0; i < ROWS; i++)
      for (size_t o = 0; o < widths[l + 1]; o++) {
        double sum = bias[l][o];
        for (size_t j = 0; j < widths[l]; j++)
          sum += wanted[i * widths[l] + j] * weights[l][o * widths[l] + j];
        next[i * widths[l + 1] + o] = activate(layers[l].activation, sum);
      }
    memcpy(wanted, next, ROWS * widths[l + 1] * sizeof *next);
  }
  int failed = 0;
  for (size_t rows = 1; rows <= ROWS; rows += rows < 3 ? 1 : 20) {
    float y[ROWS * 5];
    size_t refused = 0, overflow = 0;
    failed += ck_dense_network(layers, LAYERS, rows, bytes, CK_ROWS_BYTES, y, CK_ROWS_FLOATS, &refused, &overflow);
    failed += refused != SIZE_MAX || overflow != SIZE_MAX;
    for (size_t i = 0; i < rows * 5; i++)
      failed += differs(y[i], wanted[i], 1e-4);
  }
  report(failed, "trained layers give what plain loops give, whatever the number of rows");
  for (int l = 0; l < LAYERS; l++)
    free(weights[l]), free(bias[l]), ck_dense_release(&layers[l]);
  free(bytes), free(wanted), free(next);
}

static void test_passes(void) {
  enum { N = 1003 };
  float x[N], y[N], g[N], target[N], m[N], v[N];
  uint8_t bytes[N];
  int failed = 0;
  for (int i = 0; i < N; i++)
    x[i] = (float)(draw() % 20001) * 1e-3f - 10, bytes[i] = (uint8_t)draw(), target[i] = bytes[i] / 255.0f;
  ck_exp(N, x, y);
  for (int i = 0; i < N; i++)
    failed += fabs(y[i] - exp(x[i])) > 3e-7 * exp(x[i]);
  report(failed, "exp is within three units of the seventh digit");

  failed = 0;
  for (int a = 0; a < ACTIVATIONS; a++) {
    int f = activations[a];
    memcpy(y, x, sizeof y);
    ck_activate(f, N, y);
    for (int i = 0; i < N; i++)
      failed += differs(y[i], activate(f, x[i]), 2e-6), g[i] = m[i] = 2;
    ck_activation_gradient(f, N, y, g);
    ck_activation_gradient_at(f, N, x, m);
    for (int i = 0; i < N; i++) {
      double wanted = 2 * slope(f, x[i]);
      if (fabs(x[i]) < 1e-5) /* a kink */
        continue;
      failed += differs(m[i], wanted, 4e-6) + (a < ACTIVATIONS_BY_VALUE && differs(g[i], wanted, 4e-6));
    }
  }
  report(failed, "activations and their gradients");

  failed = 0;
  ck_from_u8(N, bytes, y);
  for (int i = 0; i < N; i++)
    failed += differs(y[i], bytes[i] / 255.0, 1e-7);
  uint8_t again[N];
  ck_to_u8(N, y, again);
  failed += memcmp(bytes, again, N) != 0;
  memcpy(y, x, sizeof y), y[5] = NAN;
  ck_clamp_unit(N, y);
  for (int i = 0; i < N; i++)
    failed += y[i] != (i == 5 ? 0 : fminf(fmaxf(x[i], 0), 1));
  memcpy(y, x, sizeof y);
  failed += ck_first_not_finite(N, y) != N;
  y[N - 2] = INFINITY;
  failed += ck_first_not_finite(N, y) != N - 2;
  report(failed, "bytes to floats and back, the unit interval, what is not finite");

  failed = 0;
  double squares = 0, error = 0, entropy = 0;
  for (int i = 0; i < N; i++) {
    squares += (double)x[i] * x[i], error += pow((double)x[i] - target[i], 2);
    entropy += fmax(x[i], 0) + log1p(exp(-fabs(x[i]))) - (double)target[i] * x[i];
  }
  failed += differs(ck_sum_of_squares(N, x), squares, 1e-6);
  failed += differs(ck_squared_error(N, x, target, 0.5f, y), error, 1e-6);
  for (int i = 0; i < N; i++)
    failed += differs(y[i], (double)x[i] - target[i], 1e-6);
  failed += differs(ck_bernoulli(N, x, target, 0.5f, y), entropy, 1e-5);
  for (int i = 0; i < N; i++)
    failed += differs(y[i], 0.5 * (activate(CK_SIGMOID, x[i]) - target[i]), 1e-6);
  report(failed, "losses and their gradients");

  failed = 0;
  memset(y, 0, sizeof y);
  ck_add_column_sums(17, 59, x, 59, y);
  for (int j = 0; j < 59; j++) {
    double sum = 0;
    for (int i = 0; i < 17; i++)
      sum += x[i * 59 + j];
    failed += differs(y[j], sum, 1e-5);
  }
  for (int i = 0; i < N; i++)
    y[i] = x[i], m[i] = 0.1f * x[i], v[i] = x[i] * x[i], g[i] = target[i];
  float average[N];
  memcpy(average, target, sizeof average);
  ck_adam(N, g, &(ck_adam_step){y, m, v, average, 1e-2f, 0.9f, 0.999f, 1e-8f, 0.5f, 0.25f, 0.75f});
  for (int i = 0; i < N; i++) {
    double first = 0.9 * 0.1 * x[i] + 0.1 * g[i], second = 0.999 * x[i] * x[i] + 0.001 * g[i] * g[i];
    failed += differs(y[i], x[i] - 1e-2 * (first / 0.5) / (sqrt(second / 0.25) + 1e-8), 1e-5);
    failed += differs(m[i], first, 1e-5) + differs(v[i], second, 1e-5);
    failed += differs(average[i], 0.75 * target[i] + 0.25 * y[i], 1e-6);
  }
  report(failed, "column sums and Adam");
}

static void test_integers(void) {
  static const size_t shapes[][2] = {{784, 50}, {50, 37}, {37, 784}, {5, 13}, {131, 1}};
  enum { ROWS = 19 };
  int failed = 0;
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    size_t inputs = shapes[s][0], outputs = shapes[s][1];
    int8_t *w = malloc(inputs * outputs);
    uint8_t *x = malloc(ROWS * inputs), *y = malloc(ROWS * outputs), table[CK_TABLE_COUNT];
    int16_t *xw = malloc(ROWS * inputs * 2), *yw = malloc(ROWS * outputs * 2);
    int32_t *sums = malloc(ROWS * outputs * 4), *bias = malloc(outputs * 4), *multiplier = malloc(outputs * 4);
    for (size_t i = 0; i < inputs * outputs; i++)
      w[i] = (int8_t)(draw() % 255 - 127);
    for (size_t i = 0; i < ROWS * inputs; i++)
      x[i] = draw() % 3 ? (uint8_t)draw() : 0, xw[i] = (int16_t)(draw() % 32767 - 16383);
    for (size_t i = 0; i < outputs; i++)
      bias[i] = (int32_t)(draw() % 200001) - 100000, multiplier[i] = (int32_t)(draw() << 7 & 0x7fffffff);
    for (int i = 0; i < CK_TABLE_COUNT; i++)
      table[i] = (uint8_t)draw();
    void *packed = aligned_alloc(64, (ck_integer_packed_size(inputs, outputs) + 63) / 64 * 64);
    ck_integer_pack(inputs, outputs, w, packed);
    for (int with = 0; with < 2; with++)
      for (size_t rows = 1; rows <= ROWS; rows += rows < 2 ? 1 : 17)
        for (int words = 0; words < 2; words++) {
          ck_integer_layer layer = {inputs, outputs, w, with ? packed : NULL, bias, multiplier, 36, table, {0}, 0, 0, {0}, 0};
          if (words)
            failed += ck_integer_words_to_bytes(&layer, rows, xw, y);
          else
            failed += ck_integer_bytes_to_bytes(&layer, rows, x, y) + ck_integer_bytes_to_words(&layer, rows, x, yw) +
                      ck_integer_bytes_to_sums(&layer, rows, x, sums);
          for (size_t i = 0; i < rows; i++)
            for (size_t o = 0; o < outputs; o++) {
              int64_t sum = bias[o];
              for (size_t j = 0; j < inputs; j++)
                sum += w[o * inputs + j] * (words ? xw[i * inputs + j] : x[i * inputs + j]);
              int64_t t = (sum * multiplier[o] + ((int64_t)1 << 35)) >> 36;
              int64_t index = t < -2048 ? -2048 : t > 2047 ? 2047 : t;
              int64_t word = t < -16383 ? -16383 : t > 16383 ? 16383 : t;
              size_t at = i * outputs + o;
              failed += y[at] != table[index + 2048];
              if (!words)
                failed += yw[at] != word || sums[at] != sum;
            }
        }
    free(w), free(x), free(y), free(xw), free(yw), free(sums), free(bias), free(multiplier), free(packed);
  }
  report(failed, "integer layers give the very integers of plain loops");
}

/* Forward and backward are products with the same matrix, or its transpose: dy.(W x) = dx.x = dw.W, whatever the
   shape. That W is the right one is for the Swift tests to say. */
static void test_convolutions(void) {
  int failed = 0;
  for (int round = 0; round < 60; round++) {
    int transposed = round % 2, strided = round / 2 % 2, coarse = 1 + (int)(draw() % 7);
    int32_t kernel = strided ? 4 : 3, stride = strided ? 2 : 1;
    ck_convolution g = {coarse * stride, (coarse + 1) * stride, 1 + (int)(draw() % 20), coarse, coarse + 1,
                        1 + (int)(draw() % 20), kernel, stride, 1, transposed};
    size_t rows = 1 + draw() % 9, fine = ck_fine_count(&g), window = ck_column_count(&g);
    size_t small = ck_coarse_pixels(&g) * (size_t)g.coarse_channels, weight_count = window * (size_t)g.coarse_channels;
    size_t inputs = transposed ? small : fine, outputs = transposed ? fine : small;
    size_t channels = (size_t)(transposed ? g.fine_channels : g.coarse_channels);
    float *x = floats(rows * inputs), *dy = floats(rows * outputs), *w = floats(weight_count);
    float *y = floats(rows * outputs), *dx = floats(rows * inputs), *dw = floats(weight_count);
    float *bias = calloc(channels, sizeof *bias), *db = floats(channels);
    double forward = 0, by_inputs = 0, by_weights = 0, size = 1;
    failed += ck_convolution_forward(&g, rows, x, w, bias, CK_IDENTITY, y) != 0;
    failed += ck_convolution_backward(&g, rows, dy, x, w, CK_IDENTITY, dx, dw, db) != 0;
    for (size_t i = 0; i < rows * outputs; i++)
      forward += (double)y[i] * dy[i], size += fabs((double)y[i] * dy[i]);
    for (size_t i = 0; i < rows * inputs; i++)
      by_inputs += (double)x[i] * dx[i];
    for (size_t i = 0; i < weight_count; i++)
      by_weights += (double)w[i] * dw[i];
    failed += !(fabs(forward - by_inputs) < 1e-5 * size) || !(fabs(forward - by_weights) < 1e-5 * size);
    free(x), free(dy), free(w), free(y), free(dx), free(dw), free(bias), free(db);
  }
  report(failed, "convolutions go backward as they go forward");
}

/* ---- Lists of nodes ---- */

typedef struct shape {
  int32_t height, width, channels;
} shape;

static size_t numbers(shape s) {
  return (size_t)(s.height * s.width * s.channels);
}

static int32_t below(uint32_t n) {
  return (int32_t)(draw() % n);
}

/* A node without weights, or a layer, in plain loops. */
static void plain_node(const ck_dense_layer *l, const float *w, const double *x0, const double *x1, double *y) {
  const ck_convolution *g = &l->convolution;
  size_t pixels = (size_t)l->node.pixels, a = (size_t)l->node.channels[0], b = (size_t)l->node.channels[1];
  int operation = l->node.operation;
  size_t outputs = l->outputs, fine = (size_t)g->fine_channels, coarse = (size_t)g->coarse_channels;
  int layer = operation == CK_LAYER;
  if (layer && g->kernel) {
    outputs = g->transposed ? ck_fine_count(g) : ck_coarse_pixels(g) * coarse;
    for (size_t i = 0; i < outputs; i++)
      y[i] = l->bias[i % (g->transposed ? fine : coarse)];
  }
  if (layer && !g->kernel)
    for (size_t o = 0; o < outputs; o++) {
      y[o] = l->bias[o];
      for (size_t i = 0; i < l->inputs; i++)
        y[o] += (double)w[o * l->inputs + i] * x0[i];
    }
  else if ((layer && g->kernel) || operation == CK_MEAN_POOL || operation == CK_MAX_POOL) {
    int32_t kernel = g->kernel < 0 ? g->fine_height > g->fine_width ? g->fine_height : g->fine_width : g->kernel;
    int32_t stride = g->kernel < 0 ? kernel : g->stride;
    for (int32_t cy = 0; cy < g->coarse_height; cy++)
      for (int32_t cx = 0; cx < g->coarse_width; cx++) {
        size_t at = (size_t)(cy * g->coarse_width + cx), count = 0;
        for (size_t c = 0; !layer && c < fine; c++)
          y[at * fine + c] = operation == CK_MAX_POOL ? -INFINITY : 0;
        for (int32_t i = 0; i < kernel; i++)
          for (int32_t j = 0; j < kernel; j++) {
            int32_t fy = cy * stride - g->padding + i, fx = cx * stride - g->padding + j;
            if (fy < 0 || fx < 0 || fy >= g->fine_height || fx >= g->fine_width)
              continue;
            size_t from = (size_t)(fy * g->fine_width + fx) * fine, tap = (size_t)(i * kernel + j);
            count++;
            for (size_t f = 0; f < fine; f++)
              if (operation == CK_MAX_POOL)
                y[at * fine + f] = fmax(y[at * fine + f], x0[from + f]);
              else if (!layer)
                y[at * fine + f] += x0[from + f];
              else
                for (size_t c = 0; c < coarse; c++)
                  if (g->transposed)
                    y[from + f] += w[(tap * fine + f) * coarse + c] * x0[at * coarse + c];
                  else
                    y[at * coarse + c] += w[(c * (size_t)(kernel * kernel) + tap) * fine + f] * x0[from + f];
          }
        for (size_t c = 0; operation == CK_MEAN_POOL && c < fine; c++)
          y[at * fine + c] /= (double)count;
      }
  }
  for (size_t i = 0; !layer && i < outputs; i++)
    switch (operation) {
    case CK_RESHAPE:
    case CK_ACTIVATE:
      y[i] = x0[i];
      break;
    case CK_ADD:
      y[i] = x0[i] + x1[i];
      break;
    case CK_CONCATENATE:
      y[i] = i % (a + b) < a ? x0[i / (a + b) * a + i % (a + b)] : x1[i / (a + b) * b + i % (a + b) - a];
      break;
    case CK_UPSAMPLE: {
      size_t wide = (size_t)g->fine_width * fine, row = i / wide, column = i % wide / fine;
      y[i] = x0[(row / (size_t)g->stride * (size_t)g->coarse_width + column / (size_t)g->stride) * fine + i % fine];
      break;
    }
    case CK_CHANNELS_FIRST:
      y[i] = x0[i % pixels * a + i / pixels];
      break;
    case CK_CHANNELS_LAST:
      y[i] = x0[i % a * pixels + i / a];
      break;
    }
  for (size_t i = 0; i < outputs; i++)
    y[i] = activate(l->activation, y[i]);
}

/* Draws a node on what comes from `from`, another source of `other`, whose shapes may forbid what was drawn. Returns 0 then. */
static int draw_node(int operation, shape from, shape other, ck_dense_layer *l, shape *to) {
  int32_t h = from.height, w = from.width, c = from.channels;
  *l = (ck_dense_layer){.inputs = numbers(from), .activation = CK_IDENTITY};
  *to = from;
  int kind = below(3);
  int32_t kernel = 1 + below(7), stride = 1 + below(4), padding = below((uint32_t)kernel);
  l->node = (ck_node){operation, {0, 0}, h * w, {c, other.channels}};
  int32_t k = operation == CK_MAX_POOL ? 1 + below(4) : kernel;
  switch (operation) {
  case CK_LAYER:
    l->activation = activations[draw() % ACTIVATIONS];
    if (kind == 0) {
      *to = (shape){1, 1, 1 + below(40)};
      if (below(3) == 0)
        *to = (shape){1 + below(3), 1 + below(3), 1 + below(9)};
      l->outputs = numbers(*to);
      return 1;
    }
    *to = (shape){0, 0, 1 + below(20)};
    if (kind == 1) {
      to->height = (h + 2 * padding - kernel) / stride + 1, to->width = (w + 2 * padding - kernel) / stride + 1;
      if (h + 2 * padding < kernel || w + 2 * padding < kernel)
        return 0;
      l->convolution = (ck_convolution){w, h, c, to->width, to->height, to->channels, kernel, stride, padding, 0};
      l->inputs = ck_column_count(&l->convolution), l->outputs = (size_t)to->channels;
      return 1;
    }
    to->height = (h - 1) * stride - 2 * padding + kernel + below((uint32_t)stride);
    to->width = (w - 1) * stride - 2 * padding + kernel + below((uint32_t)stride);
    if (to->height < 1 || to->width < 1 || to->height > 24 || to->width > 24)
      return 0;
    l->convolution = (ck_convolution){to->width, to->height, to->channels, w, h, c, kernel, stride, padding, 1};
    l->inputs = (size_t)c, l->outputs = ck_column_count(&l->convolution);
    return 1;
  case CK_ACTIVATE:
    l->activation = activations[draw() % ACTIVATIONS];
    break;
  case CK_ADD:
    l->activation = activations[draw() % ACTIVATIONS];
    if (memcmp(&from, &other, sizeof from))
      return 0;
    break;
  case CK_CONCATENATE:
    to->channels += other.channels;
    if (h != other.height || w != other.width || to->channels > 40)
      return 0;
    break;
  case CK_MEAN_POOL:
    padding = 0;
    if (kind == 0) {
      *to = (shape){1, 1, c};
      l->convolution = (ck_convolution){w, h, c, 1, 1, c, -1, 1, 0, 0};
      break;
    }
    /* fall through */
  case CK_MAX_POOL:
    padding = k > 1 && operation == CK_MAX_POOL ? below((uint32_t)k / 2 + 1) : 0;
    if (h + 2 * padding < k || w + 2 * padding < k)
      return 0;
    to->height = (h + 2 * padding - k) / stride + 1, to->width = (w + 2 * padding - k) / stride + 1;
    if ((to->height - 1) * stride - padding >= h || (to->width - 1) * stride - padding >= w)
      return 0;
    l->convolution = (ck_convolution){w, h, c, to->width, to->height, c, k, stride, padding, 0};
    break;
  case CK_UPSAMPLE:
    k = 2 + below(3);
    *to = (shape){h * k, w * k, c};
    if (to->height > 24 || to->width > 24)
      return 0;
    l->convolution = (ck_convolution){w * k, h * k, c, w, h, c, k, k, 0, 1};
    break;
  case CK_RESHAPE:
    *to = (shape){1, 1, h * w * c};
    break;
  case CK_CHANNELS_FIRST:
    *to = (shape){c, h, w};
    break;
  default:
    *to = (shape){w, c, h};
    l->node.pixels = w * c, l->node.channels[0] = h;
  }
  l->outputs = numbers(*to);
  return 1;
}

static double *doubles(size_t count, const float *from) {
  double *x = malloc((count + 1) * sizeof *x);
  for (size_t i = 0; i < count; i++)
    x[i] = from[i];
  return x;
}

static void test_nodes(void) {
  int failed = 0, failed_gradient = 0;
  for (int round = 0; round < 180; round++) {
    int operation = CK_RESHAPE + round % 9;
    shape from = {1 + below(9), 1 + below(9), 1 + below(9)}, other = from, to;
    other.channels += operation == CK_CONCATENATE ? below(5) : 0;
    ck_dense_layer l;
    if (!draw_node(operation, from, other, &l, &to))
      continue;
    int two = operation == CK_ADD || operation == CK_CONCATENATE;
    size_t rows = 1 + draw() % 4, n0 = numbers(from), n1 = two ? numbers(other) : 0, n = l.outputs;
    float *x0 = floats(rows * n0), *x1 = floats(rows * n1), *y = floats(rows * n), *dy = floats(rows * n);
    float *dx0 = floats(rows * n0), *dx1 = floats(rows * n1);
    /* No two of them are equal, nor near a kink: differences are those of one piece. */
    for (size_t i = 0; i < rows * n0; i++)
      x0[i] = (float)((i * 7919 + draw() % 3) % 10007) * 2e-4f - 1.00003f;
    double *y0 = malloc((n + 1) * sizeof *y0), *y1 = malloc((n + 1) * sizeof *y1);
    ck_node_forward(&l, rows, x0, two ? x1 : NULL, y);
    ck_dense_layer sum = l;
    if (operation == CK_ADD)
      sum.activation = CK_IDENTITY;
    ck_node_backward(&l, rows, x0, two ? x1 : NULL, y, dy, dx0, two ? dx1 : NULL);
    for (size_t r = 0; r < rows; r++) {
      double *a = doubles(n0, x0 + r * n0), *b = doubles(n1, x1 + r * n1);
      plain_node(&l, NULL, a, b, y0);
      for (size_t i = 0; i < n; i++)
        failed += differs(y[r * n + i], y0[i], 2e-6);
      for (size_t i = 0; i < n0 + n1; i += 1 + draw() % 7) {
        double *at = i < n0 ? a + i : b + (i - n0), before = *at, wanted = 0;
        *at = before + 1e-6, plain_node(&sum, NULL, a, b, y0);
        *at = before - 1e-6, plain_node(&sum, NULL, a, b, y1);
        *at = before;
        for (size_t o = 0; o < n; o++)
          wanted += dy[r * n + o] * (y0[o] - y1[o]) / 2e-6;
        failed_gradient += differs(i < n0 ? dx0[r * n0 + i] : dx1[r * n1 + i - n0], wanted, 2e-5);
      }
      free(a), free(b);
    }
    free(x0), free(x1), free(y), free(dy), free(dx0), free(dx1), free(y0), free(y1);
  }
  report(failed, "nodes without weights are those of plain loops");
  report(failed_gradient, "and their gradients those of differences");
}

static void test_lists(void) {
  enum { MOST = 24 };
  int failed = 0;
  for (int round = 0; round < 120; round++) {
    size_t count = 1 + draw() % (round % 10 ? 8 : MOST), rows = 1 + draw() % (round % 4 ? 4 : 20);
    ck_dense_layer layers[MOST];
    float *weights[MOST], *bias[MOST];
    shape shapes[MOST + 1] = {{1 + below(9), 1 + below(9), 1 + below(5)}};
    for (size_t l = 0; l < count; l++) {
      size_t first, second;
      do {
        first = draw() % 3 ? l : draw() % (l + 1), second = draw() % (l + 1);
      } while (!draw_node(draw() % 3 ? below(10) : CK_LAYER, shapes[first], shapes[second], &layers[l], &shapes[l + 1]));
      layers[l].node.back[0] = (int32_t)(l - first), layers[l].node.back[1] = (int32_t)(l - second);
      int layer = layers[l].node.operation == CK_LAYER;
      const ck_convolution *g = &layers[l].convolution;
      size_t weight_count = layer ? layers[l].inputs * layers[l].outputs : 0;
      size_t taps = !layer ? 1 : g->kernel && g->transposed ? numbers(shapes[first]) : layers[l].inputs;
      weights[l] = floats(weight_count), bias[l] = floats(numbers(shapes[l + 1]));
      for (size_t i = 0; i < weight_count; i++)
        weights[l][i] /= (float)sqrt((double)taps);
      layers[l].bias = bias[l];
      if (layer)
        ck_dense_prepare(&layers[l], weights[l]);
    }
    size_t n = numbers(shapes[0]), outputs = numbers(shapes[count]), refused, overflow;
    float *x = floats(rows * n), *y = floats(rows * outputs);
    failed += ck_dense_network(layers, count, rows, x, CK_ROWS_FLOATS, y, CK_ROWS_FLOATS, &refused, &overflow) != 0;
    failed += refused != SIZE_MAX || overflow != SIZE_MAX;
    for (size_t r = 0; r < rows; r++) {
      double *values[MOST + 1] = {doubles(n, x + r * n)};
      for (size_t l = 0; l < count; l++) {
        values[l + 1] = malloc((numbers(shapes[l + 1]) + 1) * sizeof(double));
        plain_node(&layers[l], weights[l], values[l - (size_t)layers[l].node.back[0]],
                   values[l - (size_t)layers[l].node.back[1]], values[l + 1]);
      }
      for (size_t i = 0; i < outputs; i++)
        failed += differs(y[r * outputs + i], values[count][i], 1e-4);
      for (size_t l = 0; l <= count; l++)
        free(values[l]);
    }
    for (size_t l = 0; l < count; l++) {
      free(weights[l]), free(bias[l]);
      if (layers[l].node.operation == CK_LAYER)
        ck_dense_release(&layers[l]);
    }
    free(x), free(y);
  }
  report(failed, "lists of nodes give what plain loops give");
}

/* How far values and vectors of a matrix are from what they should be, beside its largest entry. */
static double eigen_error(size_t n, const double *a, size_t wanted) {
  double *values = malloc(n * sizeof *values), *vectors = malloc(wanted * n * sizeof *vectors);
  double largest = 0, trace = 0, sum = 0, off = 0;
  for (size_t i = 0; i < n * n; i++)
    largest = fmax(largest, fabs(a[i]));
  double unit = largest > 0 ? largest : 1;
  if (ck_symmetric_eigen(n, a, wanted, values, vectors) != 0)
    off = INFINITY;
  for (size_t i = 0; i < n; i++) {
    trace += a[i * n + i] / unit, sum += values[i] / unit;
    if (!(i == 0 || values[i] <= values[i - 1]))
      off = INFINITY;
  }
  off = fmax(off, fabs(sum - trace));
  for (size_t v = 0; v < wanted; v++) {
    for (size_t i = 0; i < n; i++) {
      double product = 0;
      for (size_t j = 0; j < n; j++)
        product += a[i * n + j] / unit * vectors[v * n + j];
      product -= values[v] / unit * vectors[v * n + i];
      off = fabs(product) <= off ? off : fabs(product);
    }
    for (size_t other = 0; other <= v; other++) {
      double dot = -(double)(v == other);
      for (size_t j = 0; j < n; j++)
        dot += vectors[v * n + j] * vectors[other * n + j];
      off = fabs(dot) <= off ? off : fabs(dot);
    }
  }
  free(values), free(vectors);
  /* Values of a tiny matrix have fewer digits. */
  return isfinite(off) ? off - (n + 1) * 0x1p-1074 / unit : 1;
}

enum { EIGEN_KINDS = 9 };

/* Zeros, a diagonal, permutations, columns that are rounding or subnormal, few ranks, duplicates, and what has all. */
static void draw_matrix(size_t n, int kind, double *a) {
  size_t rank = kind == 5 ? 1 : kind == 6 ? n / 3 + 1 : n;
  double *b = calloc(n * n, sizeof *b);
  for (size_t i = 0; i < n; i++)
    for (size_t r = 0; r < rank; r++)
      b[i * n + r] = draw() % 200 / 100.0 - 1;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) {
      double x = 0;
      switch (kind) {
      case 0: /* a constant pixel in five, whole numbers */
        x = i % 5 == 4 || j % 5 == 4 ? 0 : draw() % 100;
        break;
      case 1:
        x = i == j;
        break;
      case 2:
        x = i == j ? draw() % 3 : 0;
        break;
      case 3:
        x = i + j + 1 == n;
        break;
      case 4:
        break;
      case 7: /* magnitudes from 1 to 1e-300 */
        x = ldexp(b[i * n + j], -(int)(draw() % 1000));
        break;
      case 8: /* one large entry, and crumbs */
        x = i == 0 && j == 0 ? 1 : b[i * n + j] * 1e-290;
        break;
      default:
        for (size_t r = 0; r < rank; r++) /* every other row twice */
          x += b[(i & ~(size_t)1) * n + r] * b[(j & ~(size_t)1) * n + r];
      }
      a[i * n + j] = a[j * n + i] = x;
    }
  free(b);
}

/* It is the same code on all paths. */
static void test_eigen(void) {
  int failed = 0;
  for (size_t n = 1; n < 90; n = n * 3 / 2 + 1)
    for (int kind = 0; kind < EIGEN_KINDS; kind++) {
      static const double scales[] = {1, 1e-300, 1e-310, 1e-160, 1e160, 1e300};
      double *a = malloc(n * n * sizeof *a), *scaled = malloc(n * n * sizeof *a);
      draw_matrix(n, kind, a);
      for (size_t s = 0; s < (n < 40 ? sizeof scales / sizeof *scales : 1); s++) {
        for (size_t i = 0; i < n * n; i++)
          scaled[i] = a[i] * scales[s];
        failed += eigen_error(n, scaled, s ? (n + 1) / 2 : n) > 1e-12;
      }
      free(a), free(scaled);
    }
  report(failed, "eigenvectors are orthonormal, ranked, and what the matrix only stretches, of any rank and scale");
}

int main(int argc, char **argv) {
  int first = ck_path();
  if (argc > 1)
    report(strcmp(argv[1], ck_path_name(first)) != 0, "is what the dispatch chose");
  for (int path = 0; path < CK_PATH_COUNT; path++) {
    if (!ck_path_select(path))
      continue;
    test_products();
    test_training_products();
    test_dense();
    test_passes();
    test_convolutions();
    test_nodes();
    test_lists();
    test_integers();
    test_eigen();
  }
  return failures != 0;
}
