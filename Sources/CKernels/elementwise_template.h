/*
 * A template (see each_path.h): passes over one or two arrays. The last, partial vector goes through
 * the same arithmetic as the others, so an element's result does not depend on where it stands.
 */
#include "vector_template.h"

/* Runs `body` with `count` lanes at i: VL, a constant, but at last what is left. */
#define PASS(n, body)                                                                                        \
  do {                                                                                                       \
    size_t i = 0;                                                                                            \
    for (; i + VL <= (n); i += VL) {                                                                         \
      const size_t count = VL;                                                                               \
      (void)count;                                                                                           \
      body                                                                                                   \
    }                                                                                                        \
    if (i < (n)) {                                                                                           \
      const size_t count = (n) - i;                                                                          \
      (void)count;                                                                                           \
      body                                                                                                   \
    }                                                                                                        \
  } while (0)

#define LOAD(p) (count == VL ? vload((p) + i) : vload_part((p) + i, count))
#define STORE(p, v)                                                                                          \
  do {                                                                                                       \
    if (count == VL)                                                                                         \
      vstore((p) + i, v);                                                                                    \
    else                                                                                                     \
      vstore_part((p) + i, v, count);                                                                        \
  } while (0)

static void FN(activate)(int activation, size_t n, float *x) {
  PASS(n, { STORE(x, vactivate(activation, LOAD(x))); });
}

static void FN(activation_gradient)(int activation, size_t n, const float *y, float *dy) {
  PASS(n, { STORE(dy, vactivation_gradient(activation, LOAD(y), LOAD(dy))); });
}

static void FN(activation_gradient_at)(int activation, size_t n, const float *x, float *dy) {
  PASS(n, { STORE(dy, vactivation_gradient_at(activation, LOAD(x), LOAD(dy))); });
}

/* Bytes / 255, rounded to nearest. */
CK_INLINE vf FN(over_255)(vf bytes) {
#if CK_IS_GENERIC
  return bytes / 255.0f;
#else
  /* Without a division: what one product lacks, a second one adds. */
  const vf inverse = (vf){} + 1.0f / 255.0f;
  vf q = bytes * inverse;
  return __builtin_elementwise_fma(__builtin_elementwise_fma(-q, (vf){} + 255.0f, bytes), inverse, q);
#endif
}

/* Division by 255 to the last bit, as all paths have it: the reciprocal in two parts, where they add up in one rounding. */
CK_INLINE vf FN(unit)(vi bytes) {
  vf x = __builtin_convertvector(bytes, vf);
#if CK_IS_GENERIC
  return x / 255.0f;
#else
  return __builtin_elementwise_fma(x, (vf){} + 0x1.010102p-8f, x * -0x1.fdfdfep-33f);
#endif
}

static void FN(from_u8)(size_t n, const uint8_t *bytes, float *x) {
  typedef uint8_t octets __attribute__((vector_size(VL), aligned(1)));
  size_t i = 0;
  for (; i + VL <= n; i += VL)
    vstore(x + i, FN(unit)(__builtin_convertvector(*(const octets *)(bytes + i), vi)));
  if (i < n) {
    uint8_t rest[VL] = {0};
    for (size_t l = 0; i + l < n && l < VL; l++)
      rest[l] = bytes[i + l];
    vstore_part(x + i, FN(unit)(__builtin_convertvector(*(const octets *)rest, vi)), n - i);
  }
}

CK_INLINE vf FN(clamp_unit_vector)(vf x) {
  x = vselect(x > 0.0f, x, (vf){});
  return vmin(x, (vf){} + 1.0f);
}

/* Adding 2^23 leaves the rounded whole number in the low bits. A fused product and sum would round ties that are not. */
CK_INLINE vi FN(rounded)(vf x) {
#pragma clang fp contract(off)
  vf scaled = FN(clamp_unit_vector)(x) * 255.0f;
  return (vi)(scaled + 0x1p23f) & 0xFF;
}

static void FN(to_u8)(size_t n, const float *x, uint8_t *bytes) {
  typedef uint8_t octets __attribute__((vector_size(VL), aligned(1)));
  size_t i = 0;
#if CK_IS_AVX2
  for (; i + 4 * VL <= n; i += 4 * VL) {
    __m256i a = (__m256i)FN(rounded)(vload(x + i)), b = (__m256i)FN(rounded)(vload(x + i + VL));
    __m256i c = (__m256i)FN(rounded)(vload(x + i + 2 * VL)), d = (__m256i)FN(rounded)(vload(x + i + 3 * VL));
    __m256i mixed = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    mixed = _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)(bytes + i), mixed);
  }
#endif
  for (; i + VL <= n; i += VL)
    *(octets *)(bytes + i) = __builtin_convertvector(FN(rounded)(vload(x + i)), octets);
  if (i < n) {
    vi rest = FN(rounded)(vload_part(x + i, n - i));
    for (size_t l = 0; i + l < n && l < VL; l++)
      bytes[i + l] = (uint8_t)rest[l];
  }
}

static void FN(clamp_unit)(size_t n, float *x) {
  PASS(n, { STORE(x, FN(clamp_unit_vector)(LOAD(x))); });
}

static void FN(exp)(size_t n, const float *x, float *y) {
  PASS(n, { STORE(y, vexp(LOAD(x))); });
}

static size_t FN(first_not_finite)(size_t n, const float *x) {
  size_t i = 0;
  for (; i + 8 * VL <= n; i += 8 * VL) {
    vi finite = ~(vi){};
    for (size_t j = 0; j < 8; j++) {
      vf v = vload(x + i + j * VL);
      finite &= v - v == 0.0f;
    }
    int32_t all = -1;
    for (size_t lane = 0; lane < VL; lane++)
      all &= finite[lane];
    if (!all)
      break;
  }
  for (; i < n; i++)
    if (!(x[i] - x[i] == 0.0f))
      return i;
  return n;
}

/* By pointer, because a double vector may be wider than a register, which has no calling convention. */
CK_INLINE double FN(total)(const vd *sum) {
  double total = 0;
  for (int lane = 0; lane < VL; lane++)
    total += (*sum)[lane];
  return total;
}

static double FN(squared_error)(size_t n, const float *y, const float *target, float scale, float *dy) {
  vd sum = (vd){};
  PASS(n, {
    vf e = LOAD(y) - LOAD(target);
    sum += __builtin_convertvector(e * e, vd);
    if (dy)
      STORE(dy, scale * 2.0f * e);
  });
  return FN(total)(&sum);
}

static double FN(bernoulli)(size_t n, const float *logits, const float *target, float scale, float *dlogits) {
  vd sum = (vd){};
  vi lane;
  for (int i = 0; i < VL; i++)
    lane[i] = i;
  PASS(n, {
    vf x = LOAD(logits);
    vf t = LOAD(target);
    vf sigmoid;
    vf entropy = vsoftplus(x, &sigmoid) - t * x;
    /* Lanes past the end hold zeros, whose entropy ln 2 does not count. */
    if (count < VL)
      entropy = vselect(lane < (int32_t)count, entropy, (vf){});
    sum += __builtin_convertvector(entropy, vd);
    if (dlogits)
      STORE(dlogits, scale * (sigmoid - t));
  });
  return FN(total)(&sum);
}

static double FN(sum_of_squares)(size_t n, const float *x) {
  vd sum = (vd){};
  PASS(n, {
    vd v = __builtin_convertvector(LOAD(x), vd);
    sum += v * v;
  });
  return FN(total)(&sum);
}

static void FN(add_column_sums)(size_t rows, size_t columns, const float *x, size_t ld, float *sums) {
  PASS(columns, {
    vf sum = LOAD(sums);
    for (size_t row = 0; row < rows; row++)
      sum += LOAD(x + row * ld);
    STORE(sums, sum);
  });
}

static void FN(adam)(size_t n, const float *gradient, const ck_adam_step *step, size_t first) {
  float *weights = step->weights + first, *m = step->m + first, *v = step->v + first;
  float *average = step->average ? step->average + first : NULL;
  const float beta1 = step->beta1, beta2 = step->beta2, epsilon = step->epsilon, decay = step->average_decay;
  const float rate = step->rate / step->correction1, root = 1.0f / step->correction2;
  PASS(n, {
    vf g = LOAD(gradient);
    vf mean = beta1 * LOAD(m) + (1.0f - beta1) * g;
    vf square = beta2 * LOAD(v) + (1.0f - beta2) * (g * g);
    vf w = LOAD(weights) - rate * mean / (__builtin_elementwise_sqrt(square * root) + epsilon);
    STORE(m, mean);
    STORE(v, square);
    STORE(weights, w);
    if (average)
      STORE(average, decay * LOAD(average) + (1.0f - decay) * w);
  });
}

static void FN(project)(size_t n, const ck_projection *p) {
  const float *weights = p->weights, *residual = p->residual, *keep = p->keep;
  const float step = p->step, inverse = step > 0 ? 1.0f / step : 0;
  const vf bound = (vf){} + (p->largest + 0.5f) * step, most = (vf){} + p->largest;
  /* Added and taken away again, it leaves whole numbers. */
  const float whole = 0x1.8p23f;
  PASS(n, {
    vf s = LOAD(weights) + LOAD(residual);
    vf q = s;
    if (step > 0) {
      s = vmin(vmax(s, -bound), bound);
      q = vmin(vmax((s * inverse + whole) - whole, -most), most) * step;
    }
    vf k = LOAD(keep);
    STORE(p->residual, (s - q) * k);
    STORE(p->weights, q * k);
  });
}

static const elementwise_kernels FN(kernels) = {
    FN(activate),         FN(activation_gradient), FN(activation_gradient_at),
    FN(from_u8),          FN(to_u8),
    FN(clamp_unit),       FN(exp),
    FN(first_not_finite), FN(squared_error),
    FN(bernoulli),        FN(sum_of_squares),
    FN(add_column_sums),  FN(adam),
    FN(project),
};

#undef PASS
#undef LOAD
#undef STORE
#include "vector_template_end.h"
