/*
 * How close the kernels come to what the processor can do, and where the rest of their time goes. Every kernel is
 * timed four ways, the best of many short runs each:
 *   - as it is, by one thread and by two;
 *   - beside the peak, multiply-adds on registers alone, measured between its runs, so that clock changes and
 *     neighbours weigh on both alike;
 *   - on zeros, whose products are left out: what it packs, lists, scales and stores;
 *   - and reading what it reads, once, and doing nothing with it.
 * It stands outside the package because it is of use to who tunes kernels alone; columns are separated by |
 * for bench.py.
 *
 *   clang -O2 -ISources/CKernels/include tools/bench/kernels.c Sources/CKernels/?*.c -lm -lpthread -o kernels
 *   ./kernels [generic|avx2|avxvnni|avx512|neon|dotprod [peak|products|convolutions|layers|passes]]
 */
#define _GNU_SOURCE
#include "CKernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* One thread is timed by its own processor time, so that neighbours on the machine do not count. */
static double seconds(void) {
  struct timespec now;
  clock_gettime(ck_thread_count() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- The peaks: chains of multiply-adds, enough of them to hide their latency; and reading ---- */

enum { CHAINS = 12, PEAK_ROUNDS = 300000 };

/* STEP makes s[i] of s[i], x and y; x may have changed before each one, or a product of x and y would be taken out
   of the loop. */
#define PEAK(NAME, TARGET, VECTOR, STEP)                                                                     \
  TARGET static void NAME(void) {                                                                            \
    VECTOR s[CHAINS], x, y;                                                                                  \
    memset(s, 1, sizeof s);                                                                                  \
    memset(&x, 1, sizeof x);                                                                                 \
    memset(&y, 1, sizeof y);                                                                                 \
    __asm__ volatile("" : "+v"(x), "+v"(y));                                                                 \
    for (size_t round = 0; round < PEAK_ROUNDS; round++) {                                                   \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++) {                                  \
        __asm__ volatile("" : "+v"(x));                                                                      \
        s[i] = STEP;                                                                                         \
      }                                                                                                      \
      __asm__ volatile("" : "+v"(s[0]), "+v"(s[1]), "+v"(s[2]), "+v"(s[3]), "+v"(s[4]), "+v"(s[5]));         \
      __asm__ volatile("" : "+v"(s[6]), "+v"(s[7]), "+v"(s[8]), "+v"(s[9]), "+v"(s[10]), "+v"(s[11]));       \
    }                                                                                                        \
  }
/* Eight vectors at a time, so that no addition waits for the one before. */
#define READ(NAME, TARGET, VECTOR)                                                                           \
  TARGET static void NAME(const void *data, size_t size) {                                                   \
    VECTOR s[8];                                                                                             \
    memset(s, 0, sizeof s);                                                                                  \
    const VECTOR *v = data;                                                                                  \
    for (size_t i = 0; i + 8 <= size / sizeof *v; i += 8)                                                    \
      _Pragma("clang loop unroll(full)") for (int l = 0; l < 8; l++) s[l] |= v[i + l];                       \
    for (int l = 1; l < 8; l++)                                                                              \
      s[0] |= s[l];                                                                                          \
    volatile int sink = (int)s[0][0];                                                                        \
    (void)sink;                                                                                              \
  }

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vnni")))
typedef float float4 __attribute__((vector_size(16)));
typedef float float8 __attribute__((vector_size(32)));
typedef float float16 __attribute__((vector_size(64)));
PEAK(peak_generic, , float4, s[i] * x + y)
PEAK(peak_avx2, AVX2, float8, s[i] * x + y)
PEAK(peak_avx512, AVX512, float16, s[i] * x + y)
PEAK(integer_peak_generic, , __m128i, _mm_add_epi32(s[i], _mm_madd_epi16(x, y)))
PEAK(integer_peak_avx2, AVX2, __m256i, _mm256_add_epi32(s[i], _mm256_madd_epi16(_mm256_maddubs_epi16(x, y), y)))
PEAK(integer_peak_avx512, AVX512, __m512i, _mm512_dpbusd_epi32(s[i], x, y))
READ(read_generic, , __m128i)
READ(read_avx2, AVX2, __m256i)
READ(read_avx512, AVX512, __m512i)
#else
typedef float float4 __attribute__((vector_size(16)));
typedef int int4 __attribute__((vector_size(16)));
PEAK(peak_generic, , float4, s[i] * x + y)
READ(read_generic, , int4)
#endif

/* A peak's loop, and the operations of one of its steps: two for each multiply-add. */
typedef struct peak {
  void (*loop)(void);
  double operations;
} peak;

static peak float_peak, integer_peak;
static void (*read_function)(const void *, size_t);

static void peak_task(void *context, size_t index) {
  (void)index;
  ((const peak *)context)->loop();
}

static double measure_peak(const peak *which, int threads) {
  double start = seconds();
  ck_parallel((size_t)threads, peak_task, (void *)which);
  return threads * which->operations * CHAINS * PEAK_ROUNDS / (seconds() - start);
}

/* ---- Timing ---- */

/* What a kernel reads, at most seven pieces. */
typedef struct extent {
  const void *data;
  size_t size;
} extent;

typedef struct kernel_case {
  void (*call)(const void *context);
  const void *context;
  double operations;
  const peak *peak;
  extent reads[7];
  /* Zeros in its place leave out all products; NULL where none are left out. */
  void *zeroed;
  size_t zeroed_size;
} kernel_case;

/* Seconds of the best run in `budget` seconds; what the peak was meanwhile goes to *rate, if it is not NULL. */
static double best_time(const kernel_case *c, int threads, double budget, double *rate) {
  double best = 1e9, start = seconds(), once = seconds();
  c->call(c->context);
  once = seconds() - once;
  int inner = once > 2e-5 ? 1 : (int)(2e-5 / (once + 1e-8)) + 1;
  while (seconds() - start < budget) {
    if (rate) {
      double now = measure_peak(c->peak, threads);
      *rate = now > *rate ? now : *rate;
    }
    for (int repeat = 0; repeat < 8; repeat++) {
      double t0 = seconds();
      for (int j = 0; j < inner; j++)
        c->call(c->context);
      double t = (seconds() - t0) / inner;
      best = t < best ? t : best;
    }
  }
  return best;
}

static void read_all(const void *context) {
  for (const extent *e = context; e->data; e++)
    read_function(e->data, e->size);
}

/* A line: name | us | Gop/s | share of the peak, by one thread and by two | us on zeros | us reading */
static void measure(const char *name, const kernel_case *c) {
  printf("%-30s", name);
  for (int threads = 1; threads <= 2; threads++) {
    ck_set_thread_count(threads);
    double rate = 0, took = best_time(c, threads, 0.15, c->peak->loop ? &rate : NULL);
    printf(" | %8.2f | %6.1f | ", 1e6 * took, 1e-9 * c->operations / took);
    printf(rate > 0 ? "%5.1f %%" : "-", 100 * c->operations / took / rate);
  }
  ck_set_thread_count(1);
  if (c->zeroed) {
    memset(c->zeroed, 0, c->zeroed_size);
    printf(" | %8.2f", 1e6 * best_time(c, 1, 0.05, NULL));
  } else {
    printf(" | %8s", "-");
  }
  kernel_case reading = {.call = read_all, .context = c->reads};
  printf(" | %8.2f\n", 1e6 * best_time(&reading, 1, 0.03, NULL));
  fflush(stdout);
}

/* ---- Products ---- */

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
    {"forward  1x784 -> 500", 0, 1, 1, 500, 784, 0, 0},
    {"forward  10x784 -> 500", 0, 1, 10, 500, 784, 0, 0},
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

typedef struct product_context {
  const product *p;
  const float *a, *b;
  float *c;
  const ck_adam_step *step;
} product_context;

static void run_product(const void *context) {
  const product_context *x = context;
  const product *p = x->p;
  if (p->steps)
    ck_sgemm_weight_gradient(p->m, p->n, p->k, x->a, x->b, x->c, x->step);
  else
    ck_sgemm(p->transpose_a, p->transpose_b, p->m, p->n, p->k, x->a, p->transpose_a ? p->m : p->k, x->b,
             p->transpose_b ? p->k : p->n, x->c, p->n, NULL, CK_IDENTITY, 0);
}

static void bench_products(void) {
  printf("products\n");
  for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
    product p = products[i];
    size_t a_size = p.m * p.k * sizeof(float), b_size = p.n * p.k * sizeof(float), c_size = p.m * p.n * sizeof(float);
    float *a = random_floats(p.m * p.k), *b = random_floats(p.n * p.k), *c = random_floats(p.m * p.n);
    if (p.digits == 1)
      draw_digits(p.m, a);
    if (p.digits == 2)
      draw_digits(p.k, b);
    ck_adam_step step = {random_floats(p.m * p.n), calloc(p.m * p.n, 4), calloc(p.m * p.n, 4), NULL, 1e-3f,
                         0.9f, 0.999f, 1e-8f, 0.5f, 0.5f, 0};
    product_context context = {&p, a, b, c, &step};
    /* Products that are computed transposed leave out the zeros of B (see `multiply` in gemm.c). */
    int turned = p.digits == 2 || (p.n <= 8 && p.m > 2 * p.n);
    kernel_case timed = {.call = run_product,
                         .context = &context,
                         .operations = 2.0 * (double)p.m * (double)p.n * (double)p.k,
                         .peak = &float_peak,
                         .reads = {{a, a_size}, {b, b_size}},
                         .zeroed = turned ? b : a,
                         .zeroed_size = turned ? b_size : a_size};
    if (p.steps)
      memcpy(timed.reads + 2,
             (extent[]){{step.weights, c_size}, {step.m, c_size}, {step.v, c_size}}, 3 * sizeof(extent));
    measure(p.name, &timed);
    free(a), free(b), free(c), free(step.weights), free(step.m), free(step.v);
  }
}

/* ---- Convolutions of training ---- */

typedef struct convolution_context {
  ck_convolution g;
  int backward; /* 1: the gradient of the weights, 2: and of the inputs */
  const float *x, *weights, *bias, *dy;
  float *y, *dx, *dw, *db;
} convolution_context;

static void run_convolution(const void *context) {
  const convolution_context *c = context;
  if (c->backward)
    ck_convolution_backward(&c->g, 100, c->dy, c->x, c->weights, CK_IDENTITY, c->backward > 1 ? c->dx : NULL, c->dw,
                            c->db);
  else
    ck_convolution_forward(&c->g, 100, c->x, c->weights, c->bias, CK_IDENTITY, c->y);
}

/* The layers of 32,32,64,64, the third one of 24,24,48,48, the first one in colour and one without neighbours: finer
   side and channels, coarser channels, windows, stride. */
static const int32_t convolution_shapes[][5] = {{28, 1, 32, 4, 2},  {14, 32, 32, 3, 1},  {14, 32, 64, 4, 2},
                                                {7, 64, 64, 3, 1},  {14, 24, 48, 4, 2},  {32, 3, 32, 4, 2},
                                                {14, 64, 64, 1, 1}};

static void bench_convolutions(void) {
  printf("convolutions\n");
  for (size_t s = 0; s < sizeof convolution_shapes / sizeof *convolution_shapes; s++)
    for (int32_t transposed = 0; transposed <= 1; transposed++) {
      const int32_t *shape = convolution_shapes[s];
      int32_t fine = shape[0], coarse = (fine + shape[4] - 1) / shape[4];
      ck_convolution g = {fine, fine, shape[1], coarse, coarse,
                        shape[2], shape[3], shape[4], shape[3] > 1, transposed};
      size_t fine_count = 100 * ck_fine_count(&g), weight_count = ck_column_count(&g) * (size_t)shape[2];
      size_t coarse_count = 100 * ck_coarse_pixels(&g) * (size_t)shape[2];
      size_t inputs = transposed ? coarse_count : fine_count, outputs = transposed ? fine_count : coarse_count;
      float *x = random_floats(inputs), *dx = random_floats(inputs), *y = random_floats(outputs);
      float *dy = random_floats(outputs), *w = random_floats(weight_count), *dw = random_floats(weight_count);
      float *bias = random_floats((size_t)(shape[1] + shape[2])), *db = random_floats((size_t)(shape[1] + shape[2]));
      for (int backward = 0; backward <= 2; backward++) {
        convolution_context context = {g, backward, x, w, bias, dy, y, dx, dw, db};
        char name[64];
        snprintf(name, sizeof name, "%s %dx%d, %dx%d, %d %s %d, %s", transposed ? "turned" : "plain", fine, fine,
                 shape[3], shape[3], shape[1], transposed ? "<-" : "->", shape[2],
                 backward == 0 ? "y" : backward == 1 ? "dW" : "dW, dX");
        kernel_case timed = {.call = run_convolution,
                             .context = &context,
                             .operations = 2e2 * (double)weight_count * (double)(coarse * coarse) * (backward > 1 ? 2 : 1),
                             .peak = &float_peak,
                             .reads = {{x, inputs * sizeof *x},
                                       {w, weight_count * sizeof *w},
                                       {backward ? dy : NULL, outputs * sizeof *dy}}};
        measure(name, &timed);
      }
      free(x), free(dx), free(y), free(dy), free(w), free(dw), free(bias), free(db);
    }
}

/* ---- Layers of a trained network, in floats and in integers: one image, many images ---- */

typedef struct layer_context {
  const ck_dense_layer *dense;
  const ck_integer_layer *integers;
  size_t count;
  const void *x;
  void *y;
} layer_context;

static void run_dense(const void *context) {
  const layer_context *c = context;
  size_t refused, overflow;
  ck_dense_network(c->dense, 1, c->count, c->x, CK_ROWS_FLOATS, c->y, CK_ROWS_FLOATS, &refused, &overflow);
}

static void run_integers(const void *context) {
  const layer_context *c = context;
  ck_integer_bytes_to_bytes(c->integers, c->count, c->x, c->y);
}

static const size_t layer_shapes[][2] = {{784, 500}, {500, 500}, {500, 784}, {500, 32}};

static void measure_layer(const char *kind, const layer_context *c, size_t inputs, size_t outputs, size_t input_size,
                          const void *weights, size_t weight_size) {
  char name[64];
  snprintf(name, sizeof name, "%s %4zux%zu -> %zu", kind, c->count, inputs, outputs);
  kernel_case timed = {.call = c->dense ? run_dense : run_integers,
                       .context = c,
                       .operations = 2.0 * (double)(c->count * inputs * outputs),
                       .peak = c->dense ? &float_peak : &integer_peak,
                       .reads = {{c->x, c->count * inputs * input_size}, {weights, weight_size}},
                       .zeroed = (void *)c->x,
                       .zeroed_size = c->count * inputs * input_size};
  measure(name, &timed);
}

static void bench_layers(void) {
  printf("layers in floats\n");
  for (size_t s = 0; s < sizeof layer_shapes / sizeof *layer_shapes; s++)
    for (size_t count = 1; count <= 1000; count *= 1000) {
      size_t inputs = layer_shapes[s][0], outputs = layer_shapes[s][1];
      float *w = random_floats(inputs * outputs), *bias = random_floats(outputs);
      float *x = random_floats(count * inputs), *y = random_floats(count * outputs);
      for (size_t i = 0; i < count * inputs; i++)
        x[i] += 2; /* none is 0 */
      ck_dense_layer layer = {.inputs = inputs, .outputs = outputs, .activation = CK_IDENTITY, .bias = bias};
      ck_dense_prepare(&layer, w);
      layer_context context = {.dense = &layer, .count = count, .x = x, .y = y};
      measure_layer("float32", &context, inputs, outputs, sizeof *x, layer.packed,
                    (inputs + 1) * outputs * sizeof *w);
      ck_dense_release(&layer);
      free(w), free(bias), free(x), free(y);
    }
  printf("layers in integers\n");
  for (size_t s = 0; s < sizeof layer_shapes / sizeof *layer_shapes; s++)
    for (size_t count = 1; count <= 1000; count *= 1000) {
      size_t inputs = layer_shapes[s][0], outputs = layer_shapes[s][1];
      size_t packed_size = ck_integer_packed_size(inputs, outputs);
      int8_t *w = malloc(inputs * outputs);
      uint8_t *x = aligned_alloc(64, (count * inputs + 63) / 64 * 64), *y = malloc(count * outputs);
      uint8_t table[CK_TABLE_COUNT];
      int32_t *bias = calloc(outputs, 4), *multiplier = malloc(outputs * 4);
      for (size_t i = 0; i < inputs * outputs; i++)
        w[i] = (int8_t)((rand() % 127 + rand() % 127 + rand() % 127 + rand() % 127) / 4 - 63);
      for (size_t i = 0; i < count * inputs; i++)
        x[i] = (uint8_t)(1 + rand() % 255);
      for (size_t i = 0; i < outputs; i++)
        multiplier[i] = 1 << 30;
      for (int i = 0; i < CK_TABLE_COUNT; i++)
        table[i] = (uint8_t)(i >> 4);
      void *packed = aligned_alloc(64, (packed_size + 63) / 64 * 64);
      ck_integer_pack(inputs, outputs, w, packed);
      ck_integer_layer layer = {.inputs = inputs,
                                .outputs = outputs,
                                .weights = w,
                                .packed = packed,
                                .bias = bias,
                                .multiplier = multiplier,
                                .shift = 40,
                                .table = table,
                                .narrow = 1};
      layer_context context = {.integers = &layer, .count = count, .x = x, .y = y};
      measure_layer("int8", &context, inputs, outputs, 1, packed, packed_size);
      free(w), free(x), free(y), free(bias), free(multiplier), free(packed);
    }
}

/* ---- Passes ---- */

enum { PASS_COUNT = 78400, ADAM_COUNT = 392000 };

/* Keeps what was written from being left out, or from being moved. */
static void clobber(const void *memory) {
  __asm__ volatile("" : : "r"(memory) : "memory");
}

static void fill(void *memory, size_t size) {
  memset(memory, 1, size);
  clobber(memory);
}

static void rewrite(size_t count, float *x) {
  typedef int vector __attribute__((vector_size(64), aligned(4)));
  for (size_t i = 0; i + 16 <= count; i += 16)
    *(vector *)(x + i) ^= 1;
  clobber(x);
}

/* The slowest of the operations that the functions are made of. */
static void divide(size_t count, const float *x, const float *z, float *y) {
  typedef float vector __attribute__((vector_size(64), aligned(4)));
  for (size_t i = 0; i + 16 <= count; i += 16)
    *(vector *)(y + i) = *(const vector *)(x + i) / *(const vector *)(z + i);
  clobber(y);
}

static void no_task(void *context, size_t index) {
  (void)context;
  (void)index;
}

/* Beside every pass: moving as many bytes over as much memory, in and out in the same proportion. */
static void bench_passes(void) {
  float *x = random_floats(ADAM_COUNT), *y = random_floats(ADAM_COUNT), *z = random_floats(ADAM_COUNT);
  float *v = random_floats(ADAM_COUNT);
  uint8_t *bytes = aligned_alloc(64, (PASS_COUNT + 63) / 64 * 64);
  memset(bytes, 1, PASS_COUNT);
  for (size_t i = 0; i < ADAM_COUNT; i++)
    v[i] = v[i] * v[i];
  ck_set_thread_count(1);
  printf("passes\n");
#define TIMED(budget, call)                                                                                  \
  ({                                                                                                         \
    double best = 1e9, start = seconds();                                                                    \
    while (seconds() - start < (budget)) {                                                                   \
      double t0 = seconds();                                                                                 \
      call;                                                                                                  \
      double t = seconds() - t0;                                                                             \
      best = t < best ? t : best;                                                                            \
    }                                                                                                        \
    best;                                                                                                    \
  })
  /* A line: name | us | ns a value | us that moving its bytes takes. MOVE does that. */
#define BENCH(name, count, call, move)                                                                       \
  do {                                                                                                       \
    double took = TIMED(0.08, call), moving = TIMED(0.03, move);                                             \
    printf("%-30s | %8.2f | %6.3f | %8.2f\n", name, 1e6 * took, 1e9 * took / (count), 1e6 * moving);        \
    fflush(stdout);                                                                                          \
  } while (0)
  const size_t size = PASS_COUNT * sizeof(float), adam_size = ADAM_COUNT * sizeof(float);
#define COPY(from, to, size) (memcpy(to, from, size), clobber(to))
#define LOOK(from, size) read_function(from, size)
  BENCH("exp", PASS_COUNT, ck_exp(PASS_COUNT, x, y), COPY(x, y, size));
  BENCH("sigmoid", PASS_COUNT, ck_activate(CK_SIGMOID, PASS_COUNT, y), COPY(y, y + PASS_COUNT, size));
  BENCH("elu", PASS_COUNT, ck_activate(CK_ELU, PASS_COUNT, y), COPY(y, y + PASS_COUNT, size));
  BENCH("elu gradient", PASS_COUNT, ck_activation_gradient(CK_ELU, PASS_COUNT, x, y),
        (COPY(x, y, size), LOOK(y, size)));
  BENCH("from u8", PASS_COUNT, ck_from_u8(PASS_COUNT, bytes, y), (LOOK(bytes, PASS_COUNT), fill(y, size)));
  BENCH("to u8", PASS_COUNT, ck_to_u8(PASS_COUNT, y, bytes), (LOOK(y, size), fill(bytes, PASS_COUNT)));
  BENCH("clamp", PASS_COUNT, ck_clamp_unit(PASS_COUNT, y), COPY(y, y + PASS_COUNT, size));
  BENCH("first not finite", PASS_COUNT, ck_first_not_finite(PASS_COUNT, x), LOOK(x, size));
  BENCH("squared error and gradient", PASS_COUNT, ck_squared_error(PASS_COUNT, x, z, 1, y),
        (COPY(x, y, size), LOOK(z, size)));
  BENCH("bernoulli and gradient", PASS_COUNT, ck_bernoulli(PASS_COUNT, x, z, 1, y),
        (COPY(x, y, size), LOOK(z, size)));
  BENCH("sum of squares", ADAM_COUNT, ck_sum_of_squares(ADAM_COUNT, x), LOOK(x, adam_size));
  BENCH("column sums 100x784", PASS_COUNT, ck_add_column_sums(100, 784, x, 784, y), LOOK(x, size));
  BENCH("one division a value", PASS_COUNT, divide(PASS_COUNT, x, z, y), (COPY(x, y, size), LOOK(z, size)));
  ck_adam_step step = {x, y, v, NULL, 1e-3f, 0.9f, 0.999f, 1e-8f, 0.5f, 0.5f, 0.999f};
  BENCH("adam, 392000", ADAM_COUNT, ck_adam(ADAM_COUNT, z, &step),
        (LOOK(z, adam_size), rewrite(ADAM_COUNT, x), rewrite(ADAM_COUNT, y), rewrite(ADAM_COUNT, v)));
  ck_set_thread_count(2);
  printf("threads\n");
  double awake = TIMED(0.1, ck_parallel(2, no_task, NULL));
  struct timespec pause = {0, 2000000};
  double asleep = 1e9, start = seconds();
  while (seconds() - start < 0.3) {
    nanosleep(&pause, NULL);
    double t0 = seconds();
    ck_parallel(2, no_task, NULL);
    double t = seconds() - t0;
    asleep = t < asleep ? t : asleep;
  }
  printf("empty loop, pool awake         | %8.2f\n", 1e6 * awake);
  printf("empty loop, pool asleep        | %8.2f\n", 1e6 * asleep);
  free(x), free(y), free(z), free(v), free(bytes);
}

int main(int argc, char **argv) {
  const char *only = argc > 2 ? argv[2] : "";
  for (int path = CK_PATH_COUNT - 1; path >= 0; path--) {
    if ((argc > 1 && strcmp(argv[1], ck_path_name(path)) != 0) || !ck_path_select(path))
      continue;
    float_peak = (peak){peak_generic, 2 * 4};
    read_function = read_generic;
#if defined(__x86_64__)
    integer_peak = (peak){integer_peak_generic, 2 * 8};
    if (path == CK_PATH_AVX2 || path == CK_PATH_AVXVNNI) {
      float_peak = (peak){peak_avx2, 2 * 8};
      integer_peak = (peak){integer_peak_avx2, 2 * 32};
      read_function = read_avx2;
    }
    if (path == CK_PATH_AVX512) {
      float_peak = (peak){peak_avx512, 2 * 16};
      integer_peak = (peak){integer_peak_avx512, 2 * 64};
      read_function = read_avx512;
    }
#endif
    for (int threads = 1; threads <= 2; threads++) {
      ck_set_thread_count(threads);
      double floats = 0, integers = 0;
      for (int repeat = 0; repeat < 50; repeat++) {
        double now = measure_peak(&float_peak, threads);
        floats = now > floats ? now : floats;
        now = integer_peak.loop ? measure_peak(&integer_peak, threads) : 0;
        integers = now > integers ? now : integers;
      }
      printf("peak of %s, %d thread%s | %.1f | %.1f\n", ck_path_name(path), threads, threads > 1 ? "s" : "",
             1e-9 * floats, 1e-9 * integers);
    }
    static const struct {
      const char *name;
      void (*run)(void);
    } parts[] = {{"products", bench_products},
                 {"convolutions", bench_convolutions},
                 {"layers", bench_layers},
                 {"passes", bench_passes}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
      if (!*only || strcmp(only, parts[i].name) == 0)
        parts[i].run();
  }
  return 0;
}
