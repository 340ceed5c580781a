/*
 * Passes over arrays: activations, losses, the optimiser. Here they are only sent on to the path in
 * use; the loops are in elementwise_template.h.
 */
#include "internal.h"

typedef struct elementwise_kernels {
  void (*activate)(int, size_t, float *);
  void (*activation_gradient)(int, size_t, const float *, float *);
  void (*from_u8)(size_t, const uint8_t *, float *);
  void (*to_u8)(size_t, const float *, uint8_t *);
  void (*clamp_unit)(size_t, float *);
  void (*exp)(size_t, const float *, float *);
  size_t (*first_not_finite)(size_t, const float *);
  double (*squared_error)(size_t, const float *, const float *, float, float *);
  double (*bernoulli)(size_t, const float *, const float *, float, float *);
  double (*sum_of_squares)(size_t, const float *);
  void (*add_column_sums)(size_t, size_t, const float *, size_t, float *);
  void (*adam)(size_t, float *, float *, float *, const float *, float, float, float, float, float, float);
  void (*average)(size_t, float *, const float *, float);
} elementwise_kernels;

#define CK_TEMPLATE "elementwise_template.h"
#include "each_path.h"

static const elementwise_kernels *const kernels[CK_PATH_COUNT] = {
    [CK_PATH_GENERIC] = &kernels_generic,
#if defined(__x86_64__)
    [CK_PATH_AVX2] = &kernels_avx2,
    [CK_PATH_AVX512] = &kernels_avx512,
#elif defined(__aarch64__)
    [CK_PATH_NEON] = &kernels_neon,
#endif
};

void ck_activate(int activation, size_t n, float *x) { kernels[ck_path()]->activate(activation, n, x); }
void ck_activation_gradient(int activation, size_t n, const float *y, float *dy) {
  kernels[ck_path()]->activation_gradient(activation, n, y, dy);
}
void ck_from_u8(size_t n, const uint8_t *bytes, float *x) { kernels[ck_path()]->from_u8(n, bytes, x); }
void ck_to_u8(size_t n, const float *x, uint8_t *bytes) { kernels[ck_path()]->to_u8(n, x, bytes); }
void ck_clamp_unit(size_t n, float *x) { kernels[ck_path()]->clamp_unit(n, x); }
void ck_exp(size_t n, const float *x, float *y) { kernels[ck_path()]->exp(n, x, y); }
size_t ck_first_not_finite(size_t n, const float *x) { return kernels[ck_path()]->first_not_finite(n, x); }
double ck_squared_error(size_t n, const float *y, const float *target, float scale, float *dy) {
  return kernels[ck_path()]->squared_error(n, y, target, scale, dy);
}
double ck_bernoulli(size_t n, const float *logits, const float *target, float scale, float *dlogits) {
  return kernels[ck_path()]->bernoulli(n, logits, target, scale, dlogits);
}
double ck_sum_of_squares(size_t n, const float *x) { return kernels[ck_path()]->sum_of_squares(n, x); }
void ck_add_column_sums(size_t rows, size_t columns, const float *x, size_t ld, float *sums) {
  kernels[ck_path()]->add_column_sums(rows, columns, x, ld, sums);
}
void ck_adam(size_t n, float *weights, float *m, float *v, const float *gradient, float rate, float beta1,
             float beta2, float epsilon, float correction1, float correction2) {
  kernels[ck_path()]->adam(n, weights, m, v, gradient, rate, beta1, beta2, epsilon, correction1, correction2);
}
void ck_average(size_t n, float *average, const float *weights, float decay) {
  kernels[ck_path()]->average(n, average, weights, decay);
}
