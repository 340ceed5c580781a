/*
 * Dense layers in integers, the same integers on every path.
 */
#include "internal.h"

size_t ck_integer_packed_size(size_t inputs, size_t outputs) {
  return ((outputs + 15) / 16 * 16) * ((inputs + 3) / 4 * 4);
}

void ck_integer_pack(size_t inputs, size_t outputs, const int8_t *weights, void *packed) {
  int8_t *to = packed;
  size_t groups = (inputs + 3) / 4, blocks = (outputs + 15) / 16;
  for (size_t o = 0; o < blocks * 16; o++)
    for (size_t i = 0; i < groups * 4; i++)
      to[((o / 16 * groups + i / 4) * 16 + o % 16) * 4 + i % 4] =
          o < outputs && i < inputs ? weights[o * inputs + i] : 0;
}

CK_INLINE int64_t scaled(const ck_integer_layer *layer, size_t o, int32_t sum) {
  return ((int64_t)sum * layer->multiplier[o] + ((int64_t)1 << (layer->shift - 1))) >> layer->shift;
}

CK_INLINE int64_t clamped(int64_t t, int64_t low, int64_t high) { return t < low ? low : t > high ? high : t; }

typedef struct integer_job {
  const ck_integer_layer *layer;
  const void *x;
  void *y;
  size_t count;
} integer_job;

enum { IMAGES_PER_TASK = 16 };

#define LAYER(NAME, X, Y, STORE)                                                                             \
  static void NAME##_task(void *context, size_t index) {                                                     \
    const integer_job *job = context;                                                                        \
    const ck_integer_layer *layer = job->layer;                                                              \
    size_t end = (index + 1) * IMAGES_PER_TASK;                                                              \
    if (end > job->count) end = job->count;                                                                  \
    for (size_t image = index * IMAGES_PER_TASK; image < end; image++) {                                     \
      const X *x = (const X *)job->x + image * layer->inputs;                                                \
      Y *y = (Y *)job->y + image * layer->outputs;                                                           \
      for (size_t o = 0; o < layer->outputs; o++) {                                                          \
        const int8_t *w = layer->weights + o * layer->inputs;                                                \
        int32_t sum = layer->bias[o];                                                                        \
        for (size_t i = 0; i < layer->inputs; i++) sum += (int32_t)w[i] * x[i];                              \
        y[o] = STORE;                                                                                        \
      }                                                                                                      \
    }                                                                                                        \
  }                                                                                                          \
  int ck_integer_##NAME(const ck_integer_layer *layer, size_t count, const X *x, Y *y) {                     \
    integer_job job = {layer, x, y, count};                                                                  \
    ck_parallel((count + IMAGES_PER_TASK - 1) / IMAGES_PER_TASK, NAME##_task, &job);                         \
    return 0;                                                                                                \
  }

LAYER(bytes_to_bytes, uint8_t, uint8_t, layer->table[clamped(scaled(layer, o, sum), -2048, 2047) + 2048])
LAYER(bytes_to_words, uint8_t, int16_t, (int16_t)clamped(scaled(layer, o, sum), -16383, 16383))
LAYER(bytes_to_sums, uint8_t, int32_t, sum)
LAYER(words_to_bytes, int16_t, uint8_t, layer->table[clamped(scaled(layer, o, sum), -2048, 2047) + 2048])
