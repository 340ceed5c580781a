/*
 * What a value costs under a network's outputs in floats, and the gradient: the loss that predictors are trained with.
 * The same distribution in integers is in block.c.
 */
#include "CPixels.h"

#include <math.h>
#include <string.h>

/* Vectors are handed to functions that are inlined alone. */
#pragma clang diagnostic ignored "-Wpsabi"

typedef float floats __attribute__((vector_size(32)));
typedef int32_t ints __attribute__((vector_size(32)));
typedef uint32_t bits __attribute__((vector_size(32)));
enum { LANES = 8 };
#define INLINE static inline __attribute__((always_inline))

/* The share of the uniform distribution, which keeps every value possible. */
static const float uniform = 1.f / 1024, ln2 = 0.69314718f;

INLINE floats clamp(floats x, float low, float high) {
  return __builtin_elementwise_max(__builtin_elementwise_min(x, (floats){} + high), (floats){} + low);
}

/* 2^x to within 3e-6 of it. */
INLINE floats power(floats x) {
  x = clamp(x, -60, 60);
  /* The nearest whole number, in the low bits of the sum. */
  floats sum = x + 12582912.f, f = x - (sum - 12582912.f);
  floats p = 1.f + f * (0.6931472f + f * (0.2402265f + f * (0.0555041f + f * (0.0096181f + f * 0.0013333f))));
  return (floats)((bits)p + ((bits)sum << 23));
}

INLINE float total(floats x) {
  float sum = 0;
  for (int i = 0; i < LANES; i++)
    sum += x[i];
  return sum;
}

float cp_mixture_loss(const float *outputs, const float *table, int base, int value, float *delta,
                      float *table_delta) {
  enum { BITS = 8, LAST = BITS + 1 };
  floats weight = {}, mean = {}, scale = {};
  float most = outputs[0];
  for (int k = 0; k < CP_COMPONENTS; k++) {
    weight[k] = outputs[k];
    mean[k] = (float)base + 8 * outputs[CP_COMPONENTS + k];
    scale[k] = outputs[2 * CP_COMPONENTS + k];
    most = outputs[k] > most ? outputs[k] : most;
  }
  weight = power(weight - most);
  for (int k = CP_COMPONENTS; k < LANES; k++)
    weight[k] = 0;
  weight /= total(weight);
  ints is_free = (scale >= -7.f) & (scale <= 5.f);
  scale = power(clamp(scale, -7, 5));

  /* The distribution function at the eight thresholds, of which each question has three: below[0] = 0 and below[LAST] = 1
     are the ends. */
  floats share[BITS], distance[BITS];
  float below[LAST + 1];
  int low_of[BITS], high_of[BITS], node[BITS], low = 0, size = CP_VALUES, low_index = 0, high_index = LAST;
  below[0] = 0;
  below[LAST] = 1;
  for (int i = 0, at = 1; i < BITS; i++) {
    size >>= 1;
    int middle = low + size, bit = value >= middle;
    distance[i] = ((float)middle - 0.5f - mean) * scale;
    share[i] = 1 / (1 + power(distance[i] * -1.442695f));
    below[1 + i] = (1 - uniform) * total(weight * share[i]) + uniform * (float)middle / (float)CP_VALUES;
    low_of[i] = low_index;
    high_of[i] = high_index;
    node[i] = at;
    at = 2 * at + bit;
    if (bit) {
      low = middle;
      low_index = 1 + i;
    } else {
      high_index = 1 + i;
    }
  }

  const float *numbers = outputs + 3 * CP_COMPONENTS;
  float cost = 0, below_delta[LAST + 1] = {0}, number_delta[CP_CORRECTIONS] = {0};
  for (int i = 0; i < BITS; i++) {
    int bit = value >> (BITS - 1 - i) & 1;
    const float *row = table + node[i] * CP_CORRECTIONS;
    float upper = fmaxf(below[high_of[i]] - below[1 + i], 1e-9f);
    float lower = fmaxf(below[1 + i] - below[low_of[i]], 1e-9f);
    float logit = logf(upper / lower);
    for (int j = 0; j < CP_CORRECTIONS; j++)
      logit += row[j] * numbers[j];
    float wrong = bit ? -logit : logit;
    cost += wrong > 0 ? wrong + log1pf(expf(-wrong)) : log1pf(expf(wrong));
    if (!delta)
      continue;
    float error = 1 / (1 + expf(-logit)) - (float)bit;
    below_delta[high_of[i]] += error / upper;
    below_delta[low_of[i]] += error / lower;
    below_delta[1 + i] -= error * (1 / upper + 1 / lower);
    float *row_delta = table_delta + node[i] * CP_CORRECTIONS;
    for (int j = 0; j < CP_CORRECTIONS; j++) {
      number_delta[j] += error * row[j];
      row_delta[j] += error * numbers[j];
    }
  }
  if (!delta)
    return cost;
  floats weight_delta = {}, mean_delta = {}, scale_delta = {};
  for (int i = 0; i < BITS; i++) {
    float g = below_delta[1 + i] * (1 - uniform);
    weight_delta += g * share[i];
    floats steepness = g * weight * share[i] * (1 - share[i]);
    mean_delta -= steepness * scale;
    scale_delta += steepness * distance[i] * ln2;
  }
  weight_delta = ln2 * weight * (weight_delta - total(weight * weight_delta));
  scale_delta = (floats)((ints)scale_delta & is_free);
  for (int k = 0; k < CP_COMPONENTS; k++) {
    delta[k] = weight_delta[k];
    delta[CP_COMPONENTS + k] = 8 * mean_delta[k];
    delta[2 * CP_COMPONENTS + k] = scale_delta[k];
  }
  memcpy(delta + 3 * CP_COMPONENTS, number_delta, sizeof number_delta);
  return cost;
}

double cp_mixture_losses(size_t rows, const float *outputs, const float *table, const uint8_t *bases,
                         const uint8_t *values, float scale, float *delta, float *table_delta) {
  float sums[CP_TABLE];
  if (delta)
    memset(sums, 0, sizeof sums);
  double cost = 0;
  for (size_t row = 0; row < rows; row++, outputs += CP_OUTPUTS) {
    cost += cp_mixture_loss(outputs, table, bases[row], values[row], delta, sums);
    if (!delta)
      continue;
    for (int i = 0; i < CP_OUTPUTS; i++)
      delta[i] = fminf(fmaxf(delta[i], -4), 4) * scale;
    delta += CP_OUTPUTS;
  }
  for (int i = 0; delta && i < CP_TABLE; i++)
    table_delta[i] += sums[i] * scale;
  return cost;
}
