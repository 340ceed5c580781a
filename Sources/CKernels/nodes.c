/*
 * Nodes without weights, forward and backward, in floats: sums, concatenations, pools, upsampling, and numbers that are
 * moved. They read and write each number once or so; the time of a network is in its layers. Rows are shared among threads.
 */
#include "nodes.h"

#include <string.h>

/* Numbers that are worth a task of their own. */
enum { NODE_TASK = 1 << 15 };

typedef struct node_job {
  const ck_dense_layer *node;
  size_t rows, rows_per_task;
  const float *x0, *x1, *y, *dy;
  float *out, *dx0, *dx1;
} node_job;

/* The range of coarse pixel p's window on an axis of `size` pixels. */
typedef struct window_range {
  int32_t first, end;
} window_range;

static window_range range_of(const ck_convolution *g, int32_t p, int32_t size) {
  if (g->kernel < 0)
    return (window_range){0, size};
  int32_t first = p * g->stride - g->padding, end = first + g->kernel;
  return (window_range){first < 0 ? 0 : first, end > size ? size : end};
}

static void mean_pool(const ck_convolution *g, const float *x, float *y) {
  size_t channels = (size_t)g->fine_channels, wide = (size_t)g->fine_width * channels;
  for (int32_t row = 0; row < g->coarse_height; row++)
    for (int32_t column = 0; column < g->coarse_width; column++, y += channels) {
      window_range v = range_of(g, row, g->fine_height), h = range_of(g, column, g->fine_width);
      float scale = 1.0f / (float)((v.end - v.first) * (h.end - h.first));
      memset(y, 0, channels * sizeof *y);
      for (int32_t i = v.first; i < v.end; i++)
        for (int32_t j = h.first; j < h.end; j++) {
          const float *p = x + (size_t)i * wide + (size_t)j * channels;
          for (size_t c = 0; c < channels; c++)
            y[c] += p[c];
        }
      for (size_t c = 0; c < channels; c++)
        y[c] *= scale;
    }
}

static void mean_pool_backward(const ck_convolution *g, const float *dy, float *dx) {
  size_t channels = (size_t)g->fine_channels, wide = (size_t)g->fine_width * channels;
  memset(dx, 0, ck_fine_count(g) * sizeof *dx);
  for (int32_t row = 0; row < g->coarse_height; row++)
    for (int32_t column = 0; column < g->coarse_width; column++, dy += channels) {
      window_range v = range_of(g, row, g->fine_height), h = range_of(g, column, g->fine_width);
      float scale = 1.0f / (float)((v.end - v.first) * (h.end - h.first));
      for (int32_t i = v.first; i < v.end; i++)
        for (int32_t j = h.first; j < h.end; j++) {
          float *p = dx + (size_t)i * wide + (size_t)j * channels;
          for (size_t c = 0; c < channels; c++)
            p[c] += dy[c] * scale;
        }
    }
}

static void max_pool(const ck_convolution *g, const float *x, float *y) {
  size_t channels = (size_t)g->fine_channels, wide = (size_t)g->fine_width * channels;
  for (int32_t row = 0; row < g->coarse_height; row++)
    for (int32_t column = 0; column < g->coarse_width; column++, y += channels) {
      window_range v = range_of(g, row, g->fine_height), h = range_of(g, column, g->fine_width);
      memcpy(y, x + (size_t)v.first * wide + (size_t)h.first * channels, channels * sizeof *y);
      for (int32_t i = v.first; i < v.end; i++)
        for (int32_t j = h.first; j < h.end; j++) {
          const float *p = x + (size_t)i * wide + (size_t)j * channels;
          for (size_t c = 0; c < channels; c++)
            y[c] = p[c] > y[c] ? p[c] : y[c];
        }
    }
}

/* Each gradient goes to the first of the largest. */
static void max_pool_backward(const ck_convolution *g, const float *x, const float *dy, float *dx) {
  size_t channels = (size_t)g->fine_channels, wide = (size_t)g->fine_width * channels;
  memset(dx, 0, ck_fine_count(g) * sizeof *dx);
  for (int32_t row = 0; row < g->coarse_height; row++)
    for (int32_t column = 0; column < g->coarse_width; column++, dy += channels) {
      window_range v = range_of(g, row, g->fine_height), h = range_of(g, column, g->fine_width);
      for (size_t c = 0; c < channels; c++) {
        size_t best = (size_t)v.first * wide + (size_t)h.first * channels + c;
        for (int32_t i = v.first; i < v.end; i++)
          for (int32_t j = h.first; j < h.end; j++) {
            size_t at = (size_t)i * wide + (size_t)j * channels + c;
            best = x[at] > x[best] ? at : best;
          }
        dx[best] += dy[c];
      }
    }
}

static void upsample(const ck_convolution *g, const float *x, float *y) {
  ck_move_upsample(g, sizeof *x, x, y);
}

static void upsample_backward(const ck_convolution *g, const float *dy, float *dx) {
  size_t channels = (size_t)g->fine_channels, row = (size_t)g->coarse_width * channels;
  memset(dx, 0, ck_coarse_pixels(g) * channels * sizeof *dx);
  for (int32_t i = 0; i < g->fine_height; i++)
    for (int32_t j = 0; j < g->fine_width; j++, dy += channels) {
      float *p = dx + (size_t)(i / g->stride) * row + (size_t)(j / g->stride) * channels;
      for (size_t c = 0; c < channels; c++)
        p[c] += dy[c];
    }
}

/* Moves of numbers of any size: integers use them, too. */

void ck_move_upsample(const ck_convolution *g, size_t size, const void *x, void *y) {
  size_t pixel = (size_t)g->fine_channels * size, row = (size_t)g->fine_width * pixel;
  const uint8_t *from = x;
  uint8_t *to = y;
  for (int32_t i = 0; i < g->fine_height; i++, to += row) {
    if (i % g->stride) {
      memcpy(to, to - row, row);
      continue;
    }
    for (int32_t j = 0; j < g->fine_width; j++)
      memcpy(to + (size_t)j * pixel, from + (size_t)(j / g->stride) * pixel, pixel);
    from += (size_t)g->coarse_width * pixel;
  }
}

#define TRANSPOSE(type)                                                                                      \
  do {                                                                                                       \
    const type *from = x;                                                                                    \
    type *to = y;                                                                                            \
    for (size_t i = 0; i < rows; i++)                                                                        \
      for (size_t j = 0; j < columns; j++)                                                                   \
        to[j * rows + i] = from[i * columns + j];                                                            \
  } while (0)

void ck_move_transpose(size_t rows, size_t columns, size_t size, const void *x, void *y) {
  if (size == 4)
    TRANSPOSE(float);
  else if (size == 2)
    TRANSPOSE(int16_t);
  else
    TRANSPOSE(uint8_t);
}

void ck_move(const ck_node *node, const ck_convolution *g, size_t count, size_t size, const void *x, void *y) {
  size_t pixels = (size_t)node->pixels, channels = (size_t)node->channels[0];
  if (node->operation == CK_UPSAMPLE)
    ck_move_upsample(g, size, x, y);
  else if (node->operation == CK_CHANNELS_FIRST)
    ck_move_transpose(pixels, channels, size, x, y);
  else if (node->operation == CK_CHANNELS_LAST)
    ck_move_transpose(channels, pixels, size, x, y);
  else
    memcpy(y, x, count * size);
}

size_t ck_second_count(const ck_node *node, size_t inputs, size_t outputs) {
  return node->operation == CK_ADD ? inputs : node->operation == CK_CONCATENATE ? outputs - inputs : 0;
}

void ck_node_row(const ck_dense_layer *layer, const float *x0, const float *x1, float *y) {
  const ck_node *node = &layer->node;
  const ck_convolution *g = &layer->convolution;
  switch (node->operation) {
  case CK_ACTIVATE:
    if (y != x0)
      memcpy(y, x0, layer->inputs * sizeof *y);
    break;
  case CK_ADD:
    for (size_t i = 0; i < layer->outputs; i++)
      y[i] = x0[i] + x1[i];
    break;
  case CK_CONCATENATE: {
    size_t a = (size_t)node->channels[0], b = (size_t)node->channels[1];
    for (size_t p = 0; p < (size_t)node->pixels; p++, x0 += a, x1 += b, y += a + b) {
      memcpy(y, x0, a * sizeof *y);
      memcpy(y + a, x1, b * sizeof *y);
    }
    return;
  }
  case CK_MEAN_POOL:
    mean_pool(g, x0, y);
    return;
  case CK_MAX_POOL:
    max_pool(g, x0, y);
    return;
  case CK_UPSAMPLE:
    upsample(g, x0, y);
    return;
  default:
    ck_move(node, g, layer->inputs, sizeof *y, x0, y);
    return;
  }
  ck_activate(layer->activation, layer->outputs, y);
}

static void row_backward(const node_job *job, size_t row) {
  const ck_dense_layer *layer = job->node;
  const ck_node *node = &layer->node;
  const ck_convolution *g = &layer->convolution;
  const float *dy = job->dy + row * layer->outputs, *x0 = job->x0 + row * layer->inputs;
  float *dx0 = job->dx0 ? job->dx0 + row * layer->inputs : NULL;
  float *dx1 = job->dx1 ? job->dx1 + row * ck_second_count(node, layer->inputs, layer->outputs) : NULL;
  size_t size = layer->inputs * sizeof *dy;
  if (node->operation == CK_CONCATENATE) {
    size_t a = (size_t)node->channels[0], b = (size_t)node->channels[1];
    for (size_t p = 0; p < (size_t)node->pixels; p++, dy += a + b) {
      if (dx0)
        memcpy(dx0 + p * a, dy, a * sizeof *dy);
      if (dx1)
        memcpy(dx1 + p * b, dy + a, b * sizeof *dy);
    }
    return;
  }
  if (dx1)
    memcpy(dx1, dy, size);
  if (!dx0)
    return;
  size_t pixels = (size_t)node->pixels, channels = (size_t)node->channels[0];
  switch (node->operation) {
  case CK_ACTIVATE:
    memcpy(dx0, dy, size);
    ck_activation_gradient_at(layer->activation, layer->inputs, x0, dx0);
    break;
  case CK_MEAN_POOL:
    mean_pool_backward(g, dy, dx0);
    break;
  case CK_MAX_POOL:
    max_pool_backward(g, x0, dy, dx0);
    break;
  case CK_UPSAMPLE:
    upsample_backward(g, dy, dx0);
    break;
  case CK_CHANNELS_FIRST:
    ck_move_transpose(channels, pixels, sizeof *dy, dy, dx0);
    break;
  case CK_CHANNELS_LAST:
    ck_move_transpose(pixels, channels, sizeof *dy, dy, dx0);
    break;
  default:
    memcpy(dx0, dy, size);
  }
}

static void forward_task(void *context, size_t index) {
  const node_job *job = context;
  const ck_dense_layer *node = job->node;
  size_t first = index * job->rows_per_task, end = first + job->rows_per_task;
  size_t second = ck_second_count(&node->node, node->inputs, node->outputs);
  for (size_t row = first; row < end && row < job->rows; row++)
    ck_node_row(node, job->x0 + row * node->inputs, job->x1 ? job->x1 + row * second : NULL,
                job->out + row * node->outputs);
}

static void backward_task(void *context, size_t index) {
  const node_job *job = context;
  size_t first = index * job->rows_per_task, end = first + job->rows_per_task;
  for (size_t row = first; row < end && row < job->rows; row++)
    row_backward(job, row);
}

static void run(node_job *job, void (*task)(void *, size_t)) {
  size_t numbers = job->node->inputs + job->node->outputs;
  job->rows_per_task = 1 + NODE_TASK / (numbers + 1);
  ck_parallel((job->rows + job->rows_per_task - 1) / job->rows_per_task, task, job);
}

void ck_node_forward(const ck_dense_layer *node, size_t rows, const float *x0, const float *x1, float *y) {
  run(&(node_job){.node = node, .rows = rows, .x0 = x0, .x1 = x1, .out = y}, forward_task);
}

void ck_node_backward(const ck_dense_layer *node, size_t rows, const float *x0, const float *x1, const float *y,
                      const float *dy, float *dx0, float *dx1) {
  (void)x1;
  (void)y;
  run(&(node_job){.node = node, .rows = rows, .x0 = x0, .dy = dy, .dx0 = dx0, .dx1 = dx1}, backward_task);
}
