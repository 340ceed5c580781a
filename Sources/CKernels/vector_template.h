/*
 * A template (see each_path.h): vectors of VL floats, their unaligned and partial loads and stores, and
 * the transcendental functions that the other templates build on. No include guard: it is included
 * once per path by each of them.
 *
 * Constants are from Cephes' expf (S. Moshier); the two-part reduction is Cody and Waite's.
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
#define vactivate FN(vactivate)
#define vactivation_gradient FN(vactivation_gradient)

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

/* Lane by lane: mask ? yes : no. */
CK_INLINE vf vselect(vi mask, vf yes, vf no) {
  return (vf)((mask & (vi)yes) | (~mask & (vi)no));
}
/* Both give `a` where it is NaN. */
CK_INLINE vf vmax(vf a, vf b) {
  return vselect(a < b, b, a);
}
CK_INLINE vf vmin(vf a, vf b) {
  return vselect(a > b, b, a);
}

/* exp(x) = *scale (1 + *fraction), *scale a power of two; x is clamped to [-87.33, 88.37]. */
CK_INLINE void FN(vexp_parts)(vf x, vf *scale, vf *fraction) {
  const float magic = 0x1.8p23f; /* adding it rounds to a whole number, kept in the low bits */
  x = vmin(vmax(x, (vf){} - 87.33f), (vf){} + 88.37f);
  vf shifted = x * 1.44269504088896341f + magic;
  vf whole = shifted - magic;
  vf r = x - whole * 0.693359375f;
  r = r - whole * -2.12194440e-4f;
  vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  *fraction = p * (r * r) + r;
  *scale = (vf)(((vi)shifted - 0x4B400000 + 127) << 23);
}

CK_INLINE vf vexp(vf x) {
  vf scale, fraction;
  FN(vexp_parts)(x, &scale, &fraction);
  return scale * fraction + scale;
}

CK_INLINE vf vsigmoid(vf x) {
  return 1.0f / (1.0f + vexp(-x));
}

/* exp(x) - 1 without cancellation near 0. */
CK_INLINE vf velu(vf x) {
  vf scale, fraction;
  FN(vexp_parts)(x, &scale, &fraction);
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

CK_INLINE vf vactivate(int activation, vf x) {
  switch (activation) {
  case CK_SIGMOID:
    return vsigmoid(x);
  case CK_RELU:
    return vmax(x, (vf){});
  case CK_ELU:
    return velu(x);
  default:
    return x;
  }
}

/* dy f'(x), where y = f(x). */
CK_INLINE vf vactivation_gradient(int activation, vf y, vf dy) {
  switch (activation) {
  case CK_SIGMOID:
    return dy * (y * (1.0f - y));
  case CK_RELU:
    return vselect(y > 0.0f, dy, (vf){});
  case CK_ELU:
    return dy * vselect(y > 0.0f, (vf){} + 1.0f, y + 1.0f);
  default:
    return dy;
  }
}
