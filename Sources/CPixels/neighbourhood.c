/*
 * A pixel's neighbourhood as bytes: what a network predicts it from. docs/format-aez.md lists them one by one.
 */
#include "CPixels.h"
#include "mixture.h"

#include <string.h>

static int byte(int value) {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

static int magnitude(int value) {
  return value < 0 ? -value : value;
}

static uint8_t difference(int value) {
  return (uint8_t)((value < -127 ? -127 : value > 127 ? 127 : value) + 128);
}

static uint8_t *put_differences(int count, const uint8_t *values, int from, uint8_t *out) {
  for (int i = 0; i < count; i++)
    *out++ = difference(values[i] - from);
  return out;
}

static uint8_t *put_run(int count, const uint8_t *values, uint8_t *out) {
  memcpy(out, values, (size_t)count);
  return out + count;
}

/* Position on an axis as eight numbers of which two neighbours share 255: linear interpolation between eight knots. */
static void put_position(int at, int length, uint8_t *out) {
  int place = length > 1 ? at * 7 * 255 / (length - 1) : 0, knot = place / 255;
  knot = knot > 6 ? 6 : knot;
  out[knot] = (uint8_t)(255 - (place - 255 * knot));
  out[knot + 1] = (uint8_t)(place - 255 * knot);
}

int cp_features(const cp_shape *shape, const uint8_t *planes, int k, int y, int x, const cp_seen *seen,
                uint8_t *features) {
  ptrdiff_t stride = (ptrdiff_t)shape->stride;
  int colour = cp_colour(shape, k), first = shape->channels == 4;
  size_t at = (size_t)(y + CP_REACH) * shape->stride + (size_t)x + CP_REACH;
  const uint8_t *p = planes + (size_t)k * shape->plane + at;
  /* The colours that are known already. */
  const uint8_t *q = colour >= 1 ? planes + (size_t)first * shape->plane + at : NULL;
  const uint8_t *r = colour >= 2 ? q + shape->plane : NULL;
  int base = cp_base(p, q, stride), w = p[-1], n = p[-stride], nw = p[-stride - 1], ne = p[1 - stride];
  int ww = p[-2], nn = p[-2 * stride];

  uint8_t *out = put_run(6, p - 6, features);
  out = put_run(11, p - stride - 5, out);
  out = put_run(11, p - 2 * stride - 5, out);
  out = put_run(11, p - 3 * stride - 5, out);
  out = put_run(9, p - 4 * stride - 4, out);
  out = put_run(7, p - 5 * stride - 3, out);
  uint8_t *near = out;
  out = put_differences(4, p - 4, base, out);
  out = put_differences(8, p - stride - 3, base, out);
  out = put_differences(7, p - 2 * stride - 3, base, out);
  out = put_differences(5, p - 3 * stride - 2, base, out);
  int sum = 0;
  for (; near < out; near++)
    sum += magnitude(*near - 128);
  *out++ = (uint8_t)base;
  *out++ = (uint8_t)byte(magnitude(w - nw) + magnitude(n - ne));
  *out++ = (uint8_t)byte(magnitude(w - ww) + magnitude(n - nn));
  *out++ = (uint8_t)byte(magnitude(n - nw) + magnitude(w - nw));
  *out++ = (uint8_t)byte(sum / 8);
  int nearest[6] = {w, n, nw, ne, ww, nn};
  for (int i = 0; i < 6; i++) {
    *out++ = nearest[i] == 0 ? 255 : 0;
    *out++ = nearest[i] == 255 ? 255 : 0;
  }
  *out++ = seen->largest;
  *out++ = seen->least;
  *out++ = (uint8_t)byte(seen->count);
  /* Transparency, if there is any, and which plane this is. */
  *out++ = first && k > 0 ? planes[at] : 255;
  memset(out, 0, (size_t)(features + CP_FEATURES - out));
  out[shape->channels == 1 ? 0 : colour + 2] = 255;
  out += 5;
  put_position(x, shape->width, out);
  put_position(y, shape->height, out + 8);
  out += 16;
  /* The means of an 8 x 8 grid's cells, of what was seen of them. */
  int area = (shape->width + 7) / 8 * ((shape->height + 7) / 8);
  for (int i = 0; i < 64; i++)
    *out++ = (uint8_t)(seen->cells[i] / (uint32_t)area);
  if (q) {
    *out++ = q[0];
    out = put_differences(5, q - 2 * stride - 2, q[0], out);
    out = put_differences(5, q - stride - 2, q[0], out);
    out = put_differences(2, q - 2, q[0], out);
    out = put_differences(2, q + 1, q[0], out);
    out = put_differences(5, q + stride - 2, q[0], out);
    out = put_differences(5, q + 2 * stride - 2, q[0], out);
    *out++ = difference(w - q[-1] + q[0] - base);
    *out++ = difference(n - q[-stride] + q[0] - base);
    *out++ = difference(nw - q[-stride - 1] + q[0] - base);
    *out++ = difference(ne - q[1 - stride] + q[0] - base);
  }
  if (r) {
    *out++ = r[0];
    out = put_differences(3, r - stride - 1, r[0], out);
    out = put_differences(1, r - 1, r[0], out);
    out = put_differences(1, r + 1, r[0], out);
    out = put_differences(3, r + stride - 1, r[0], out);
    *out++ = difference(w - r[-1] + r[0] - base);
    *out++ = difference(n - r[-stride] + r[0] - base);
  }
  return base;
}
