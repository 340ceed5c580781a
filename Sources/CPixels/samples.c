/*
 * Pixels of whole images as a predictor's training takes them: any places of a plane, with what was seen before each.
 */
#include "CPixels.h"

void cp_samples(const cp_shape *shape, const uint8_t *planes, int k, cp_walk *walk, size_t count,
                const int32_t *places, uint8_t *features, uint8_t *bases, uint8_t *values) {
  const uint8_t *plane = planes + (size_t)k * shape->plane + CP_REACH * shape->stride + CP_REACH;
  for (size_t i = 0; i < count; i++, features += CP_FEATURES) {
    int y = places[i] / shape->width, x = places[i] % shape->width, step = x + CP_REACH * y;
    for (; walk->step < step; walk->step++) {
      int at = walk->step, first = at < shape->width ? 0 : (at - shape->width + CP_REACH) / CP_REACH;
      int last = at / CP_REACH < shape->height - 1 ? at / CP_REACH : shape->height - 1;
      for (int row = first; row <= last; row++)
        cp_seen_add(shape, &walk->seen, row, at - CP_REACH * row,
                    plane[(size_t)row * shape->stride + (size_t)(at - CP_REACH * row)]);
    }
    bases[i] = (uint8_t)cp_features(shape, planes, k, y, x, &walk->seen, features);
    values[i] = plane[(size_t)y * shape->stride + (size_t)x];
  }
}

void cp_round(size_t count, float step, int low, int high, const float *x, float *y) {
  float scale = 1 / step;
  for (size_t i = 0; i < count; i++) {
    float value = x[i] * scale;
    value = value < (float)low ? (float)low : value > (float)high ? (float)high : value;
    /* The nearest whole number is what is left of a sum whose last bit is 1. */
    y[i] = (value + 12582912.f - 12582912.f) * step;
  }
}
