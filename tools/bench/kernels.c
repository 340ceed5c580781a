/*
 * How close the kernels come to what the processor can do. The peak (multiply-adds on registers alone) is
 * measured between the kernels' runs, so that clock changes and neighbours weigh on both alike; the
 * best of many short runs counts. It stands outside the package because it is of use to who tunes
 * kernels alone:
 *
 *   clang -O2 -ISources/CKernels/include tools/bench/kernels.c Sources/CKernels/?*.c -lm -lpthread -o kernels
 *   ./kernels [generic|avx2|avx512|neon|dotprod ...]
 */
#define _GNU_SOURCE
#include "CKernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One thread is timed by its own processor time, so that neighbours on the machine do not count. */
static double seconds(void) {
  struct timespec now;
  clock_gettime(ck_thread_count() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- The peak: chains of multiply-adds, enough of them to hide their latency ---- */

#define PEAK(NAME, TARGET, LANES)                                                                            \
  TARGET static double NAME(size_t rounds) {                                                                 \
    typedef float vector __attribute__((vector_size(LANES * 4)));                                            \
    vector s[12], x, y;                                                                                      \
    for (int i = 0; i < 12; i++)                                                                             \
      s[i] = (vector){} + (float)i;                                                                          \
    x = (vector){} + 0.999f;                                                                                 \
    y = (vector){} + 0.001f;                                                                                 \
    for (size_t round = 0; round < rounds; round++) {                                                        \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < 12; i++) s[i] = s[i] * x + y;                   \
      __asm__ volatile("" : "+v"(s[0]), "+v"(s[1]), "+v"(s[2]), "+v"(s[3]), "+v"(s[4]), "+v"(s[5]));         \
    }                                                                                                        \
    for (int i = 1; i < 12; i++)                                                                             \
      s[0] += s[i];                                                                                          \
    volatile float sink = s[0][0];                                                                           \
    (void)sink;                                                                                              \
    return 2.0 * 12 * LANES * (double)rounds;                                                                \
  }
#if defined(__x86_64__)
PEAK(peak_generic, , 4)
PEAK(peak_avx2, __attribute__((target("avx2,fma"))), 8)
PEAK(peak_avx512, __attribute__((target("avx512f"))), 16)
#endif

static double (*peak_function)(size_t);
static double best_peak; /* flop/s of one thread */

static void peak_task(void *context, size_t index) {
  (void)context;
  (void)index;
  peak_function(20000);
}

static double measure_peak(int threads) {
  double start = seconds();
  ck_parallel((size_t)threads, peak_task, NULL);
  double rate = peak_function == NULL ? 0 : threads * 2.0 * 12 * 20000 / (seconds() - start);
  return rate;
}

typedef struct product {
  const char *name;
  int transpose_a, transpose_b;
  size_t m, n, k;
  int digits; /* 1: A holds pictures of digits, 2: B does */
  int steps;  /* a weight gradient that makes a step of Adam */
} product;

static const product products[] = {
    {"forward  100x784 -> 500", 0, 1, 100, 500, 784, 0, 0},
    {"forward  100x500 -> 500", 0, 1, 100, 500, 500, 0, 0},
    {"forward  100x500 -> 784", 0, 1, 100, 784, 500, 0, 0},
    {"forward 1000x784 -> 500", 0, 1, 1000, 500, 784, 0, 0},
    {"forward  100 digits -> 500", 0, 1, 100, 500, 784, 1, 0},
    {"forward 1000 digits -> 500", 0, 1, 1000, 500, 784, 1, 0},
    {"backward dW of 100 digits", 1, 0, 500, 784, 100, 2, 0},
    {"backward dX 100x500 W[500,784]", 0, 0, 100, 784, 500, 0, 0},
    {"backward dX 100x500 W[500,500]", 0, 0, 100, 500, 500, 0, 0},
    {"backward dW 500x784 batch 100", 1, 0, 500, 784, 100, 0, 0},
    {"backward dW 500x500 batch 100", 1, 0, 500, 500, 100, 0, 0},
    {"  and Adam, 784x500 digits", 1, 0, 500, 784, 100, 2, 1},
    {"  and Adam, 500x784", 1, 0, 500, 784, 100, 0, 1},
    {"  and Adam, 500x500", 1, 0, 500, 500, 100, 0, 1},
    {"latents  100x500 -> 5", 0, 1, 100, 5, 500, 0, 0},
    {"latents  100x5 -> 500", 0, 1, 100, 500, 5, 0, 0},
    {"latents  dW 5x500 batch 100", 1, 0, 5, 500, 100, 0, 0},
    {"latents  dW 500x5 batch 100", 1, 0, 500, 5, 100, 0, 0},
    {"latents  dX 100x500 W[500,5]", 0, 0, 100, 5, 500, 0, 0},
    {"latents  100x500 -> 32", 0, 1, 100, 32, 500, 0, 0},
    {"one row  1x784 -> 500", 0, 1, 1, 500, 784, 0, 0},
    {"one row  1x500 -> 500", 0, 1, 1, 500, 500, 0, 0},
    {"4 rows   4x784 -> 500", 0, 1, 4, 500, 784, 0, 0},
    {"10 rows  10x784 -> 500", 0, 1, 10, 500, 784, 0, 0},
    {"square   1024", 0, 0, 1024, 1024, 1024, 0, 0},
};

static float *random_floats(size_t count) {
  float *x = aligned_alloc(64, (count * 4 + 63) / 64 * 64);
  for (size_t i = 0; i < count; i++)
    x[i] = (float)(rand() % 2000 - 1000) * 1e-3f;
  return x;
}

/* Strokes three pixels wide on 28 x 28: a fifth of the pixels, as in real digits. */
static void draw_digits(size_t count, float *x) {
  memset(x, 0, count * 784 * sizeof *x);
  for (size_t i = 0; i < count; i++) {
    double row = 5 + rand() % 10, column = 8 + rand() % 12, angle = rand() % 628 * 0.01;
    for (int step = 0; step < 45; step++) {
      for (int dr = -1; dr <= 1; dr++)
        for (int dc = -1; dc <= 1; dc++)
          x[i * 784 + ((size_t)row + dr) * 28 + (size_t)column + dc] = 0.5f;
      angle += (rand() % 100 - 45) * 0.01;
      row += __builtin_sin(angle), column += __builtin_cos(angle);
      if (row < 5 || row > 22 || column < 5 || column > 22) {
        angle += 2;
        row = row < 5 ? 5 : row > 22 ? 22 : row;
        column = column < 5 ? 5 : column > 22 ? 22 : column;
      }
    }
  }
}

static void bench_products(int lanes) {
  for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
    product p = products[i];
    float *a = random_floats(p.m * p.k), *b = random_floats(p.n * p.k), *c = random_floats(p.m * p.n);
    if (p.digits == 1)
      draw_digits(p.m, a);
    if (p.digits == 2)
      draw_digits(p.k, b);
    ck_adam_step step = {random_floats(p.m * p.n), calloc(p.m * p.n, 4), calloc(p.m * p.n, 4), NULL, 1e-3f,
                         0.9f, 0.999f, 1e-8f, 0.5f, 0.5f, 0};
    double flops = 2.0 * (double)p.m * (double)p.n * (double)p.k;
    printf("  %-32s", p.name);
    for (int threads = 1; threads <= 2; threads++) {
      ck_set_thread_count(threads);
      double rate = 0, peak = 0, start = seconds();
      int inner = flops > 4e6 ? 1 : (int)(4e6 / flops) + 1;
      while (seconds() - start < 0.25) {
        double now = measure_peak(threads) * lanes;
        if (now > peak)
          peak = now;
        for (int repeat = 0; repeat < 4; repeat++) {
          double t0 = seconds();
          for (int j = 0; j < inner; j++)
            if (p.steps)
              ck_sgemm_weight_gradient(p.m, p.n, p.k, a, b, c, &step);
            else
              ck_sgemm(p.transpose_a, p.transpose_b, p.m, p.n, p.k, a, p.transpose_a ? p.m : p.k, b,
                       p.transpose_b ? p.k : p.n, c, p.n, NULL, CK_IDENTITY, 0);
          double r = flops * inner / (seconds() - t0);
          if (r > rate)
            rate = r;
        }
      }
      if (threads == 1)
        best_peak = peak;
      printf("  %d: %7.2f us %6.1f GFLOP/s %5.1f %%", threads, 1e6 * flops / rate, 1e-9 * rate,
             100 * rate / peak);
    }
    printf("  (peak %.0f)\n", 1e-9 * best_peak);
    fflush(stdout);
    free(a), free(b), free(c), free(step.weights), free(step.m), free(step.v);
  }
}

/* ---- Integer layers: one image, many images ---- */

static void bench_integers(void) {
  static const size_t shapes[][2] = {{784, 500}, {500, 500}, {500, 784}, {500, 32}};
  for (size_t s = 0; s < 4; s++) {
    size_t inputs = shapes[s][0], outputs = shapes[s][1];
    int8_t *w = malloc(inputs * outputs);
    uint8_t *x = malloc(1000 * inputs), *y = malloc(1000 * outputs), table[CK_TABLE_COUNT];
    int32_t *bias = calloc(outputs, 4), *multiplier = malloc(outputs * 4);
    for (size_t i = 0; i < inputs * outputs; i++)
      w[i] = (int8_t)(rand() % 255 - 127);
    for (size_t i = 0; i < outputs; i++)
      multiplier[i] = 1 << 20;
    for (int i = 0; i < CK_TABLE_COUNT; i++)
      table[i] = (uint8_t)(i >> 4);
    void *packed = aligned_alloc(64, (ck_integer_packed_size(inputs, outputs) + 63) / 64 * 64);
    ck_integer_pack(inputs, outputs, w, packed);
    ck_integer_layer layer = {inputs, outputs, w, packed, bias, multiplier, 30, table};
    for (int density = 100; density >= 20; density -= 80) {
      /* A picture's zeros come in runs. */
      for (size_t i = 0; i < 1000 * inputs; i++)
        x[i] = rand() % 8 == 0 || i % 8 ? (i % 8 ? (x[i - 1] ? (uint8_t)(1 + rand() % 255) : 0) : 1) : 0;
      for (size_t i = 0; i < 1000 * inputs; i += 8) {
        int on = rand() % 100 < density;
        for (size_t j = i; j < i + 8; j++)
          x[j] = on ? (uint8_t)(1 + rand() % 255) : 0;
      }
      printf("  int8 %4zu -> %3zu, %3d %% not 0     ", inputs, outputs, density);
      for (int threads = 1; threads <= 2; threads++)
        for (size_t count = 1; count <= 1000; count *= 1000) {
          ck_set_thread_count(threads);
          double best = 1e9, start = seconds();
          while (seconds() - start < 0.15) {
            int inner = count == 1 ? 100 : 1;
            double t0 = seconds();
            for (int j = 0; j < inner; j++)
              ck_integer_bytes_to_bytes(&layer, count, x, y);
            double t = (seconds() - t0) / inner;
            if (t < best)
              best = t;
          }
          printf("  %dx%zu: %8.2f us %6.1f GMAC/s", threads, count, 1e6 * best,
                 1e-9 * (double)(count * inputs * outputs) / best);
        }
      printf("\n");
      fflush(stdout);
    }
    free(w), free(x), free(y), free(bias), free(multiplier), free(packed);
  }
}

/* ---- Passes ---- */

enum { PASS_COUNT = 78400, ADAM_COUNT = 392000 };

static void no_task(void *context, size_t index) {
  (void)context;
  (void)index;
}

static void bench_passes(void) {
  float *x = random_floats(ADAM_COUNT), *y = random_floats(ADAM_COUNT), *z = random_floats(ADAM_COUNT);
  float *v = random_floats(ADAM_COUNT);
  uint8_t *bytes = malloc(PASS_COUNT);
  for (size_t i = 0; i < ADAM_COUNT; i++)
    v[i] = v[i] * v[i];
  ck_set_thread_count(1);
#define BENCH(name, count, call)                                                                             \
  do {                                                                                                       \
    double best = 1e9, start = seconds();                                                                    \
    while (seconds() - start < 0.1) {                                                                        \
      double t0 = seconds();                                                                                 \
      call;                                                                                                  \
      double t = seconds() - t0;                                                                             \
      if (t < best)                                                                                          \
        best = t;                                                                                            \
    }                                                                                                        \
    printf("  %-32s  %7.2f us  %.3f ns each\n", name, 1e6 * best, 1e9 * best / (count));                     \
    fflush(stdout);                                                                                          \
  } while (0)
  BENCH("exp", PASS_COUNT, ck_exp(PASS_COUNT, x, y));
  BENCH("sigmoid", PASS_COUNT, ck_activate(CK_SIGMOID, PASS_COUNT, y));
  BENCH("elu", PASS_COUNT, ck_activate(CK_ELU, PASS_COUNT, y));
  BENCH("elu gradient", PASS_COUNT, ck_activation_gradient(CK_ELU, PASS_COUNT, x, y));
  BENCH("from u8", PASS_COUNT, ck_from_u8(PASS_COUNT, bytes, y));
  BENCH("to u8", PASS_COUNT, ck_to_u8(PASS_COUNT, y, bytes));
  BENCH("clamp", PASS_COUNT, ck_clamp_unit(PASS_COUNT, y));
  BENCH("first not finite", PASS_COUNT, ck_first_not_finite(PASS_COUNT, x));
  BENCH("squared error", PASS_COUNT, ck_squared_error(PASS_COUNT, x, z, 1, y));
  BENCH("bernoulli", PASS_COUNT, ck_bernoulli(PASS_COUNT, x, z, 1, y));
  BENCH("sum of squares", ADAM_COUNT, ck_sum_of_squares(ADAM_COUNT, x));
  BENCH("column sums 100x784", PASS_COUNT, ck_add_column_sums(100, 784, x, 784, y));
  ck_adam_step step = {x, y, v, NULL, 1e-3f, 0.9f, 0.999f, 1e-8f, 0.5f, 0.5f, 0.999f};
  BENCH("adam, 392000", ADAM_COUNT, ck_adam(ADAM_COUNT, z, &step));
  ck_set_thread_count(2);
  BENCH("adam, 392000, 2 threads", ADAM_COUNT, ck_adam(ADAM_COUNT, z, &step));
  BENCH("empty parallel loop, pool awake", 1, ck_parallel(2, no_task, NULL));
  struct timespec pause = {0, 2000000};
  BENCH("the same, pool asleep (and 2 ms)", 1, (nanosleep(&pause, NULL), ck_parallel(2, no_task, NULL)));
  free(x), free(y), free(z), free(v), free(bytes);
}

int main(int argc, char **argv) {
  for (int path = CK_PATH_COUNT - 1; path >= 0; path--) {
    int wanted = argc < 2;
    for (int i = 1; i < argc; i++)
      wanted |= strcmp(argv[i], ck_path_name(path)) == 0;
    if (!wanted || !ck_path_select(path))
      continue;
    int lanes = 4;
#if defined(__x86_64__)
    peak_function = path == CK_PATH_AVX512 ? peak_avx512 : path == CK_PATH_AVX2 ? peak_avx2 : peak_generic;
    lanes = path == CK_PATH_AVX512 ? 16 : path == CK_PATH_AVX2 ? 8 : 4;
#endif
    printf("%s\n", ck_path_name(path));
    bench_products(lanes);
    bench_integers();
    bench_passes();
  }
  return 0;
}
