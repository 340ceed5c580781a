/*
 * Images as planes with margins, in the order in which they are coded, and what is known of a plane that is coded in part.
 */
#include "CPixels.h"

#include <string.h>

/* Rows below a plane that the neighbourhood of the next one reaches. */
enum { BELOW = 2 };

void cp_shape_make(int width, int height, int channels, cp_shape *shape) {
  shape->width = width;
  shape->height = height;
  shape->channels = channels;
  shape->stride = (size_t)width + 2 * CP_REACH;
  shape->plane = (size_t)(CP_REACH + height + BELOW) * shape->stride;
  shape->image = shape->plane * (size_t)channels;
}

/* Which channel is coded k-th: transparency tells where colours matter, and green is nearest to the other two. */
static int channel(int channels, int k) {
  static const int order[2][4] = {{1, 0, 2, 0}, {3, 1, 0, 2}};
  return channels == 1 ? 0 : order[channels - 3][k];
}

void cp_planes_load(const cp_shape *shape, const uint8_t *pixels, uint8_t *planes) {
  for (int k = 0; k < shape->channels; k++) {
    const uint8_t *from = pixels + channel(shape->channels, k);
    for (int y = 0; y < shape->height; y++) {
      uint8_t *row = planes + (size_t)k * shape->plane + (size_t)(y + CP_REACH) * shape->stride + CP_REACH;
      for (int x = 0; x < shape->width; x++, from += shape->channels)
        row[x] = *from;
    }
  }
}

void cp_planes_store(const cp_shape *shape, const uint8_t *planes, uint8_t *pixels) {
  for (int k = 0; k < shape->channels; k++) {
    uint8_t *to = pixels + channel(shape->channels, k);
    for (int y = 0; y < shape->height; y++) {
      const uint8_t *row =
          planes + (size_t)k * shape->plane + (size_t)(y + CP_REACH) * shape->stride + CP_REACH;
      for (int x = 0; x < shape->width; x++, to += shape->channels)
        *to = row[x];
    }
  }
}

int cp_step_count(const cp_shape *shape) {
  return shape->width + CP_REACH * (shape->height - 1);
}

void cp_seen_add(const cp_shape *shape, cp_seen *seen, int y, int x, int value) {
  if (seen->count == 0 || value < seen->least)
    seen->least = (uint8_t)value;
  if (seen->count == 0 || value > seen->largest)
    seen->largest = (uint8_t)value;
  uint64_t bit = (uint64_t)1 << (value & 63), *word = seen->values + (value >> 6);
  seen->count += (*word & bit) == 0;
  *word |= bit;
  seen->cells[y * 8 / shape->height * 8 + x * 8 / shape->width] += (uint32_t)value;
}
