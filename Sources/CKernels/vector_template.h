/*
 * A template (see each_path.h): vectors of VL floats, their unaligned and partial loads and stores, and
 * the transcendental functions that the other templates build on. No include guard: it is included
 * once per path by each of them.
 *
 * The two-part reduction of exp is Cody and Waite's.
 */
#define vf FN(vf)
#define vi FN(vi)
#define vd FN(vd)
typedef float vf __attribute__((vector_size(VL * 4)));
typedef int32_t vi __attribute__((vector_size(VL * 4)));
typedef double vd __attribute__((vector_size(VL * 8)));
typedef float FN(unaligned) __attribute__((vector_size(VL * 4), aligned(4)));

#define vload FN(vload)
#define vstore FN(vstore)
#define vload_part FN(vload_part)
#define vstore_part FN(vstore_part)
#define vselect FN(vselect)
#define vmax FN(vmax)
#define vmin FN(vmin)
#define vexp FN(vexp)
#define vsigmoid FN(vsigmoid)
#define velu FN(velu)
#define vsoftplus FN(vsoftplus)
#define vtanh FN(vtanh)
#define verf FN(verf)
#define vactivate FN(vactivate)
#define vactivation_gradient FN(vactivation_gradient)
#define vactivation_gradient_at FN(vactivation_gradient_at)

CK_INLINE vf vload(const float *p) {
  return *(const FN(unaligned) *)p;
}
CK_INLINE void vstore(float *p, vf v) {
  *(FN(unaligned) *)p = v;
}

/* vload_part: the first `count` lanes, zeros in the others; vstore_part: the first `count` lanes alone. */
#if CK_IS_AVX512
CK_INLINE vf vload_part(const float *p, size_t count) {
  return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
}
CK_INLINE void vstore_part(float *p, vf v, size_t count) {
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), (__m512)v);
}
#elif CK_IS_AVX2
CK_INLINE __m256i FN(part_mask)(size_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
CK_INLINE vf vload_part(const float *p, size_t count) {
  return (vf)_mm256_maskload_ps(p, FN(part_mask)(count));
}
CK_INLINE void vstore_part(float *p, vf v, size_t count) {
  _mm256_maskstore_ps(p, FN(part_mask)(count), (__m256)v);
}
#else
CK_INLINE vf vload_part(const float *p, size_t count) {
  float lanes[VL] = {0};
  for (size_t i = 0; i < count && i < VL; i++)
    lanes[i] = p[i];
  return vload(lanes);
}
CK_INLINE void vstore_part(float *p, vf v, size_t count) {
  float lanes[VL];
  vstore(lanes, v);
  for (size_t i = 0; i < count && i < VL; i++)
    p[i] = lanes[i];
}
#endif

/* Lane by lane: mask ? yes : no, where all bits of a lane of the mask are alike. */
CK_INLINE vf vselect(vi mask, vf yes, vf no) {
#if CK_IS_AVX2
  return (vf)_mm256_blendv_ps((__m256)no, (__m256)yes, (__m256)mask);
#else
  return (vf)((mask & (vi)yes) | (~mask & (vi)no));
#endif
}
/* Both give `a` where it is NaN: of their operands, the processor's instructions give the second one then. */
#if CK_IS_AVX512
CK_INLINE vf vmax(vf a, vf b) {
  return (vf)_mm512_max_ps((__m512)b, (__m512)a);
}
CK_INLINE vf vmin(vf a, vf b) {
  return (vf)_mm512_min_ps((__m512)b, (__m512)a);
}
#elif CK_IS_AVX2
CK_INLINE vf vmax(vf a, vf b) {
  return (vf)_mm256_max_ps((__m256)b, (__m256)a);
}
CK_INLINE vf vmin(vf a, vf b) {
  return (vf)_mm256_min_ps((__m256)b, (__m256)a);
}
#else
CK_INLINE vf vmax(vf a, vf b) {
  return vselect(a < b, b, a);
}
CK_INLINE vf vmin(vf a, vf b) {
  return vselect(a > b, b, a);
}
#endif

/* exp(x) = *scale (1 + *fraction), *scale a power of two; x lies in [-87.33, 88.37]. A minimax polynomial, evaluated as
   Estrin does: half of the latency. */
CK_INLINE void FN(vexp_parts)(vf x, vf *scale, vf *fraction) {
  const float magic = 0x1.8p23f; /* adding it rounds to a whole number, kept in the low bits */
  vf shifted = x * 1.44269504088896341f + magic;
  vf whole = shifted - magic;
  vf r = x - whole * 0.693359375f;
  r = r - whole * -2.12194440e-4f;
  vf square = r * r;
  vf p = (r * 0.16666521f + 0.49999994f) + square * ((r * 0.00836871f + 0.04166839f) + square * 0.00138146f);
  *fraction = p * square + r;
  *scale = (vf)(((vi)shifted - 0x4B400000 + 127) << 23);
}

CK_INLINE vf vexp(vf x) {
  vf scale, fraction;
  FN(vexp_parts)(vmin(vmax(x, (vf){} - 87.33f), (vf){} + 88.37f), &scale, &fraction);
  return scale * fraction + scale;
}

CK_INLINE vf vsigmoid(vf x) {
  return 1.0f / (1.0f + vexp(-x));
}

/* exp(x) - 1 without cancellation near 0. */
CK_INLINE vf velu(vf x) {
  vf scale, fraction;
  /* Whatever it gives above 0 is not used. */
  FN(vexp_parts)(vmax(x, (vf){} - 87.33f), &scale, &fraction);
  return vselect(x > 0.0f, x, scale * fraction + (scale - 1.0f));
}

/* softplus(x) = ln(1 + exp(x)) = max(x, 0) + ln(1 + u), u = exp(-|x|); ln(1 + u) = 2 atanh(u / (2 + u)) by
   its series. sigmoid(x) falls out of u as well. */
CK_INLINE vf vsoftplus(vf x, vf *sigmoid) {
  vf u = vexp(vmin(x, -x));
  vf s = u / (2.0f + u), q = s * s;
  vf p = q * (1.0f / 13) + 1.0f / 11;
  p = p * q + 1.0f / 9;
  p = p * q + 1.0f / 7;
  p = p * q + 1.0f / 5;
  p = p * q + 1.0f / 3;
  p = p * q + 1.0f;
  *sigmoid = vselect(x < 0.0f, u, (vf){} + 1.0f) / (1.0f + u);
  return vmax(x, (vf){}) + 2.0f * s * p;
}

/* tanh(x) = 2 sigmoid(2x) - 1, which cancels near 0: there by elu(2x) / (elu(2x) + 2). */
CK_INLINE vf vtanh(vf x) {
  vf scale, fraction;
  vf twice = vmax(-2.0f * vmax(x, -x), (vf){} - 87.33f);
  FN(vexp_parts)(twice, &scale, &fraction);
  vf below = scale * fraction + (scale - 1.0f); /* exp(-2|x|) - 1 */
  vf size = -below / (below + 2.0f);
  return vselect(x < 0.0f, -size, size);
}

/* The error function within 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26). */
CK_INLINE vf verf(vf x) {
  vf size = vmax(x, -x);
  vf t = 1.0f / (1.0f + 0.3275911f * size);
  vf p = t * 1.061405429f - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  vf value = 1.0f - p * t * vexp(-size * size);
  return vselect(x < 0.0f, -value, value);
}

/* A leaky ReLU's slope below 0. */
#define SLOPE(activation) ((float)((activation) >> 8) / 1000.0f)

CK_INLINE vf vactivate(int activation, vf x) {
  switch (activation & 255) {
  case CK_SIGMOID:
    return vsigmoid(x);
  case CK_RELU:
    return vmax(x, (vf){});
  case CK_ELU:
    return velu(x);
  case CK_LEAKY_RELU:
    return vselect(x > 0.0f, x, x * SLOPE(activation));
  case CK_SILU:
    return x * vsigmoid(x);
  case CK_GELU:
    return 0.5f * x * (1.0f + verf(x * 0.70710678f));
  case CK_GELU_TANH:
    return x * vsigmoid(1.59576912f * (x + 0.044715f * x * x * x));
  case CK_TANH:
    return vtanh(x);
  default:
    return x;
  }
}

/* dy f'(x), where y = f(x). */
CK_INLINE vf vactivation_gradient(int activation, vf y, vf dy) {
  switch (activation & 255) {
  case CK_SIGMOID:
    return dy * (y * (1.0f - y));
  case CK_RELU:
    return vselect(y > 0.0f, dy, (vf){});
  case CK_ELU:
    return dy * vselect(y > 0.0f, (vf){} + 1.0f, y + 1.0f);
  case CK_LEAKY_RELU:
    return vselect(y > 0.0f, dy, dy * SLOPE(activation));
  case CK_TANH:
    return dy * (1.0f - y * y);
  default:
    return dy;
  }
}

/* dy f'(x), from x itself. */
CK_INLINE vf vactivation_gradient_at(int activation, vf x, vf dy) {
  switch (activation & 255) {
  case CK_SILU: {
    vf s = vsigmoid(x);
    return dy * (s + x * s * (1.0f - s));
  }
  case CK_GELU:
    /* Phi(x) + x phi(x) */
    return dy * (0.5f * (1.0f + verf(x * 0.70710678f)) + x * 0.39894228f * vexp(-0.5f * x * x));
  case CK_GELU_TANH: {
    vf s = vsigmoid(1.59576912f * (x + 0.044715f * x * x * x));
    return dy * (s + x * s * (1.0f - s) * (1.59576912f + 0.21406859f * x * x));
  }
  default:
    return vactivation_gradient(activation, vactivate(activation, x), dy);
  }
}
#undef SLOPE
