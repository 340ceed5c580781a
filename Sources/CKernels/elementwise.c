/*
 * Passes over arrays: activations, losses, the optimiser. Here they are cut into chunks, which threads
 * share, and sent to the path in use; the loops are in elementwise_template.h. Chunks depend on
 * lengths alone, and the sums of chunks are added in their order.
 */
#include "internal.h"

#include <string.h>

typedef struct elementwise_kernels {
  void (*activate)(int, size_t, float *);
  void (*activation_gradient)(int, size_t, const float *, float *);
  void (*activation_gradient_at)(int, size_t, const float *, float *);
  void (*from_u8)(size_t, const uint8_t *, float *);
  void (*to_u8)(size_t, const float *, uint8_t *);
  void (*clamp_unit)(size_t, float *);
  void (*exp)(size_t, const float *, float *);
  size_t (*first_not_finite)(size_t, const float *);
  double (*squared_error)(size_t, const float *, const float *, float, float *);
  double (*bernoulli)(size_t, const float *, const float *, float, float *);
  double (*sum_of_squares)(size_t, const float *);
  void (*add_column_sums)(size_t, size_t, const float *, size_t, float *);
  ck_adam_kernel_function adam;
  void (*project)(size_t, const ck_projection *);
} elementwise_kernels;

#define CK_TEMPLATE "elementwise_template.h"
#include "each_path.h"

static const elementwise_kernels *const kernels[CK_PATH_COUNT] = CK_KERNELS(avx2, neon);

/* Elements that are worth a thread, and the chunks that a sum is cut into at most. */
enum { PASS_CHUNK = 16384, SUM_CHUNKS = 128 };

/* One pass over any of the arrays below; which fields count depends on the task. */
typedef struct pass {
  const elementwise_kernels *kernel;
  size_t n, chunk;
  int activation;
  const float *in, *other;
  float *out;
  const uint8_t *bytes_in;
  uint8_t *bytes_out;
  float scale;
  const ck_adam_step *step;
  double *sums;
} pass;

static void run(pass *p, void (*task)(void *, size_t)) {
  p->kernel = kernels[ck_path()];
  p->chunk = PASS_CHUNK;
  if (p->sums && p->n / SUM_CHUNKS >= p->chunk)
    p->chunk = p->n / SUM_CHUNKS + 1;
  ck_parallel((p->n + p->chunk - 1) / p->chunk, task, p);
}

static double run_sum(pass *p, void (*task)(void *, size_t)) {
  double sums[SUM_CHUNKS] = {0}, total = 0;
  p->sums = sums;
  run(p, task);
  for (size_t i = 0; i < SUM_CHUNKS; i++)
    total += sums[i];
  return total;
}

/* Defines NAME##_task, which does `call` for chunk `index`: n elements from i on of the arrays of p. */
#define TASK(NAME, call)                                                                                     \
  static void NAME##_task(void *context, size_t index) {                                                     \
    const pass *p = context;                                                                                 \
    size_t i = index * p->chunk, n = p->n - i < p->chunk ? p->n - i : p->chunk;                              \
    call;                                                                                                    \
  }

TASK(activate, p->kernel->activate(p->activation, n, p->out + i))
TASK(activation_gradient, p->kernel->activation_gradient(p->activation, n, p->in + i, p->out + i))
TASK(activation_gradient_at, p->kernel->activation_gradient_at(p->activation, n, p->in + i, p->out + i))
TASK(from_u8, p->kernel->from_u8(n, p->bytes_in + i, p->out + i))
TASK(to_u8, p->kernel->to_u8(n, p->in + i, p->bytes_out + i))
TASK(clamp_unit, p->kernel->clamp_unit(n, p->out + i))
TASK(exp, p->kernel->exp(n, p->in + i, p->out + i))
TASK(squared_error, p->sums[index] = p->kernel->squared_error(n, p->in + i, p->other + i, p->scale,
                                                              p->out ? p->out + i : NULL))
TASK(bernoulli,
     p->sums[index] = p->kernel->bernoulli(n, p->in + i, p->other + i, p->scale, p->out ? p->out + i : NULL))
TASK(sum_of_squares, p->sums[index] = p->kernel->sum_of_squares(n, p->in + i))
TASK(adam, p->kernel->adam(n, p->in + i, p->step, i))

void ck_activate(int activation, size_t n, float *x) {
  if (activation != CK_IDENTITY)
    run(&(pass){.n = n, .activation = activation, .out = x}, activate_task);
}

void ck_activation_gradient(int activation, size_t n, const float *y, float *dy) {
  if (activation != CK_IDENTITY)
    run(&(pass){.n = n, .activation = activation, .in = y, .out = dy}, activation_gradient_task);
}

void ck_activation_gradient_at(int activation, size_t n, const float *x, float *dy) {
  if (activation != CK_IDENTITY)
    run(&(pass){.n = n, .activation = activation, .in = x, .out = dy}, activation_gradient_at_task);
}

void ck_from_u8(size_t n, const uint8_t *bytes, float *x) {
  run(&(pass){.n = n, .bytes_in = bytes, .out = x}, from_u8_task);
}

void ck_to_u8(size_t n, const float *x, uint8_t *bytes) {
  run(&(pass){.n = n, .in = x, .bytes_out = bytes}, to_u8_task);
}

void ck_clamp_unit(size_t n, float *x) {
  run(&(pass){.n = n, .out = x}, clamp_unit_task);
}

void ck_exp(size_t n, const float *x, float *y) {
  run(&(pass){.n = n, .in = x, .out = y}, exp_task);
}

size_t ck_first_not_finite(size_t n, const float *x) {
  return kernels[ck_path()]->first_not_finite(n, x);
}

double ck_squared_error(size_t n, const float *y, const float *target, float scale, float *dy) {
  return run_sum(&(pass){.n = n, .in = y, .other = target, .scale = scale, .out = dy}, squared_error_task);
}

double ck_bernoulli(size_t n, const float *logits, const float *target, float scale, float *dlogits) {
  return run_sum(&(pass){.n = n, .in = logits, .other = target, .scale = scale, .out = dlogits},
                 bernoulli_task);
}

double ck_sum_of_squares(size_t n, const float *x) {
  return run_sum(&(pass){.n = n, .in = x}, sum_of_squares_task);
}

void ck_add_column_sums(size_t rows, size_t columns, const float *x, size_t ld, float *sums) {
  kernels[ck_path()]->add_column_sums(rows, columns, x, ld, sums);
}

ck_adam_kernel_function ck_adam_kernel(void) {
  return kernels[ck_path()]->adam;
}

void ck_adam(size_t n, const float *gradient, const ck_adam_step *step) {
  run(&(pass){.n = n, .in = gradient, .step = step}, adam_task);
}

void ck_project(size_t n, const ck_projection *projection) {
  kernels[ck_path()]->project(n, projection);
}
