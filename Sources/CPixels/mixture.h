/*
 * The distribution of a pixel's value: a mixture of logistic distributions, as a network's outputs give it.
 *
 * With outputs o, counted from 0, and the base value of the pixel's neighbourhood, component i of CP_COMPONENTS has
 * the weight 2^o[i] among all, the mean base + 8 o[C + i] and the inverse scale 2^o[2 C + i], which is moved into
 * 2^-7 ... 2^5. The values' tree asks for a value's eight bits, the highest first; the logit of a question's answer is the
 * mixture's, plus the product of the question's row of the table with the CP_CORRECTIONS last outputs. Mixtures of
 * logistic distributions over pixels are those of Salimans et al., "PixelCNN++" (2017).
 */
#ifndef MIXTURE_H
#define MIXTURE_H

#include "CPixels.h"

/* Which colour plane k is: 0 the first, -1 transparency. */
static inline int cp_colour(const cp_shape *shape, int k) {
  return k - (shape->channels == 4);
}

static inline int cp_median(int a, int b, int c) {
  int low = a < b ? a : b, high = a < b ? b : a;
  return c < low ? low : c > high ? high : c;
}

/* The median edge detector of LOCO-I (Weinberger et al. 2000), of differences to the plane q if there is one. */
static inline int cp_base(const uint8_t *p, const uint8_t *q, ptrdiff_t stride) {
  int w = p[-1], n = p[-stride], nw = p[-stride - 1];
  if (!q)
    return cp_median(w, n, w + n - nw);
  w -= q[-1];
  n -= q[-stride];
  nw -= q[-stride - 1];
  int value = q[0] + cp_median(w, n, w + n - nw);
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

#endif
