/*
 * Networks in integers, node by node: how weights are arranged and images shared among threads. The sums are in
 * integer_template.h; every path gives the same ones, because integer addition does not round.
 *
 * Convolutions read windows in place: those of a few pixels at a time are gathered, as bytes, and are the rows of a dense
 * layer. What lies outside of the map is the byte that stands for 0, so that
 *   sum over w (x - zero) = sum over w x - zero sum over w,
 * whose second part is taken off the biases when weights are packed. Sums on the way may leave int32; they are taken modulo
 * 2^32, and what comes out is the sum that the format bounds. A transposed convolution is stride squared convolutions, one
 * for each output phase, or where those have few channels one whose outputs are all phases'.
 */
#include "nodes.h"

#include <stdatomic.h>
#include <string.h>

enum { INTEGER_BYTES, INTEGER_WORDS, INTEGER_SUMS, INTEGER_FLOATS };
/* Outputs of a tile; and those that packed weights are cut into, of which a group of four inputs is a cache line,
   so that whoever sums fewer than a tile reads one line after another. */
enum { INTEGER_TILE = 64, INTEGER_BLOCK = 16 };
/* Inputs that one list of groups can hold. */
enum { INTEGER_DEPTH = 1024 };
/* Groups whose products may be added up in 16 bits, and what their reaches must not exceed for that: 128 * 255 < 2^15. */
enum { INTEGER_RUN = 4, INTEGER_REACH = 128 };
/* The largest tile's images. */
enum { INTEGER_IMAGES = 6 };
/* Tiles that a task takes through all layers, so that what lies between two layers stays in cache; and the
   tasks to have for each thread, so that none waits long for the last one. */
enum { INTEGER_TILES = 8, INTEGER_TASKS = 8 };
/* Bytes between input and output that need no memory from elsewhere, and nodes whose places do not. */
enum { INTEGER_STACK = 8192, INTEGER_FEW_NODES = 16 };
/* Bytes of a task between input and output, so that large maps go through few at a time. */
enum { INTEGER_ARENA = 1 << 25 };
/* Bytes of the windows of a convolution that are gathered at once, if they are of several tiles. */
enum { INTEGER_WINDOWS = 16384 };
/* Outputs of all phases of a transposed convolution that are taken together. */
enum { INTEGER_TOGETHER = 2 * INTEGER_BLOCK };
/* Multiply-adds of a convolution that are worth a task of their own. */
enum { INTEGER_BAND = 1 << 20 };
/* Bytes that are copied at once. */
enum { INTEGER_COPY = 16 };
/* Packed parts begin on boundaries of so many bytes. */
enum { INTEGER_LINE = 64 };

/* Layers on all images of a call. */
typedef struct integer_job {
  const ck_integer_layer *layers;
  size_t layer_count, end;       /* `end` is the last layer: moves may follow it */
  const size_t *sizes, *offsets; /* bytes of a row that each node gives, and where in a row's arena they are */
  size_t arena;
  const void *x;
  void *y;
  const float *scales;
  size_t count, task_images;
  int wide; /* x is words */
  int kind; /* of y */
  atomic_int refused;
} integer_job;

/* One layer on a few images: at most as many as the kernels' full tile. */
typedef struct integer_tile {
  const ck_integer_layer *layer;
  size_t images;
  const void *x;
  void *y;
  const float *scales;
  int wide, kind;
  size_t row; /* numbers from one row of x to the next */
  int slack;  /* whether rows may be read beyond their ends, up to a whole vector */
} integer_tile;

/* The groups of four inputs that a tile has to look at, and each image's inputs there: as four bytes, or as
   two pairs of words. Vectors are stored whole, so there is room for one more. */
typedef struct integer_list {
  size_t count;
  int all; /* no group of these inputs was left out */
  uint32_t group[INTEGER_DEPTH / 4 + 16];
  union {
    uint32_t bytes[INTEGER_IMAGES][INTEGER_DEPTH / 4 + 16];
    struct {
      int32_t even[INTEGER_IMAGES][INTEGER_DEPTH / 4 + 16];
      int32_t odd[INTEGER_IMAGES][INTEGER_DEPTH / 4 + 16];
    };
  };
} integer_list;

typedef struct integer_kernels {
  size_t images; /* of a full tile */
  void (*tile)(const integer_tile *tile);
} integer_kernels;

#define CK_TEMPLATE "integer_template.h"
#define CK_WITH_BYTES
#include "each_path.h"

static const integer_kernels *const kernels[CK_PATH_COUNT] = CK_KERNELS(avxvnni, dotprod);

size_t ck_integer_packed_size(size_t inputs, size_t outputs) {
  size_t blocks = (outputs + INTEGER_BLOCK - 1) / INTEGER_BLOCK, groups = (inputs + 3) / 4;
  return blocks * (groups * INTEGER_BLOCK * 4 + groups + (groups + INTEGER_RUN - 1) / INTEGER_RUN);
}

/* Channels that a convolution reads and gives. */
static size_t source_channels(const ck_convolution *g) {
  return (size_t)(g->transposed ? g->coarse_channels : g->fine_channels);
}
static size_t target_channels(const ck_convolution *g) {
  return (size_t)(g->transposed ? g->fine_channels : g->coarse_channels);
}

/*
 * One phase of a convolution: the pixels phase, phase + step, ... of what comes out, whose windows have the same weights.
 * Where phases of a transposed one have few channels, they are taken together: a window is what any of them sees, and what
 * comes out a square of pixels.
 */
typedef struct integer_phase {
  int32_t y, x, step;            /* of the pixels that come out */
  int32_t low_y, low_x, stride;  /* where the first pixel's window begins, and how far from there the next one's does */
  int32_t rows, columns;         /* of a window */
  int32_t first_y, first_x, tap; /* the weight of a window's first pixel, and how much further the next one's is */
  int32_t side;                  /* of the square */
  size_t window, outputs;        /* numbers in a window, and in what comes out of it */
} integer_phase;

/* Phases along an axis that are taken together: all or one. Two blocks of outputs cost little more than one. */
static int32_t phases_together(const ck_convolution *g) {
  size_t all = (size_t)(g->stride * g->stride) * target_channels(g);
  return g->transposed && all <= INTEGER_TOGETHER ? g->stride : 1;
}

static int32_t phase_count(const ck_convolution *g) {
  return g->transposed && phases_together(g) == 1 ? g->stride * g->stride : 1;
}

/* A phase of a transposed convolution by itself. */
static integer_phase phase_alone(const ck_convolution *g, int32_t index) {
  integer_phase phase = {
      .y = index / g->stride, .x = index % g->stride, .step = g->stride, .stride = 1, .tap = -g->stride, .side = 1};
  /* Fine pixel p is seen by the coarse pixels c with 0 <= p + padding - c stride < kernel. */
  int32_t rest_y = (phase.y + g->padding) % g->stride, rest_x = (phase.x + g->padding) % g->stride;
  phase.rows = rest_y < g->kernel ? (g->kernel - 1 - rest_y) / g->stride + 1 : 0;
  phase.columns = rest_x < g->kernel ? (g->kernel - 1 - rest_x) / g->stride + 1 : 0;
  phase.low_y = (phase.y + g->padding) / g->stride - (phase.rows - 1);
  phase.low_x = (phase.x + g->padding) / g->stride - (phase.columns - 1);
  phase.first_y = rest_y + (phase.rows - 1) * g->stride;
  phase.first_x = rest_x + (phase.columns - 1) * g->stride;
  phase.window = (size_t)(phase.rows * phase.columns) * source_channels(g);
  phase.outputs = target_channels(g);
  return phase;
}

static integer_phase phase_of(const ck_convolution *g, int32_t index) {
  if (!g->transposed)
    return (integer_phase){.step = 1,
                           .low_y = -g->padding,
                           .low_x = -g->padding,
                           .stride = g->stride,
                           .rows = g->kernel,
                           .columns = g->kernel,
                           .tap = 1,
                           .side = 1,
                           .window = (size_t)(g->kernel * g->kernel) * source_channels(g),
                           .outputs = target_channels(g)};
  if (phases_together(g) == 1)
    return phase_alone(g, index);
  /* Phases on the diagonal tell the range of each axis. */
  int32_t low = INT32_MAX, end = INT32_MIN;
  for (int32_t i = 0; i < g->stride; i++) {
    integer_phase one = phase_alone(g, i * g->stride + i);
    if (one.rows == 0)
      continue;
    low = one.low_y < low ? one.low_y : low;
    end = one.low_y + one.rows > end ? one.low_y + one.rows : end;
  }
  return (integer_phase){.step = g->stride,
                         .low_y = low,
                         .low_x = low,
                         .stride = 1,
                         .rows = end - low,
                         .columns = end - low,
                         .tap = -g->stride,
                         .side = g->stride,
                         .window = (size_t)((end - low) * (end - low)) * source_channels(g),
                         .outputs = (size_t)(g->stride * g->stride) * target_channels(g)};
}

/* Bytes of one phase: biases, then its weights. */
static size_t phase_size(const integer_phase *phase) {
  return round_up(phase->outputs * sizeof(int32_t), INTEGER_LINE) +
         round_up(ck_integer_packed_size(phase->window, phase->outputs), INTEGER_LINE);
}

size_t ck_integer_layer_size(const ck_integer_layer *layer) {
  const ck_convolution *g = &layer->convolution;
  size_t size = INTEGER_LINE;
  if (g->kernel == 0)
    return ck_integer_packed_size(layer->inputs, layer->outputs);
  for (int32_t i = 0; i < phase_count(g); i++) {
    integer_phase phase = phase_of(g, i);
    size += phase_size(&phase);
  }
  return size;
}

/* The largest sum of positive weights, or negative ones, that a 16-bit lane adds up over `groups` groups of a block: a
   lane has two inputs of each. */
static int reach_of(const int8_t *block, size_t groups) {
  int reach = 0;
  for (size_t lane = 0; lane < 2 * INTEGER_BLOCK; lane++) {
    int above = 0, below = 0;
    for (size_t g = 0; g < groups; g++)
      for (size_t i = 0; i < 2; i++) {
        int w = block[g * INTEGER_BLOCK * 4 + 2 * lane + i];
        above += w > 0 ? w : 0;
        below -= w < 0 ? w : 0;
      }
    above = above > below ? above : below;
    reach = above > reach ? above : reach;
  }
  return reach;
}

/*
 * [blocks of outputs][groups of four inputs][outputs of the block][4], zeros where there are no more; then, for sums in 16
 * bits, [blocks][groups] the groups' reaches, and [blocks][runs of INTEGER_RUN groups] how many of a run's groups may be
 * added up at once: all, two or one.
 */
void ck_integer_pack(size_t inputs, size_t outputs, const int8_t *weights, void *packed) {
  int8_t *to = packed;
  for (size_t first = 0; first < outputs; first += INTEGER_BLOCK)
    for (size_t i = 0; i < inputs; i += 4)
      for (size_t o = first; o < first + INTEGER_BLOCK; o++)
        for (size_t l = i; l < i + 4; l++)
          *to++ = o < outputs && l < inputs ? weights[o * inputs + l] : 0;
  size_t blocks = (outputs + INTEGER_BLOCK - 1) / INTEGER_BLOCK, groups = (inputs + 3) / 4, size = INTEGER_BLOCK * 4;
  uint8_t *reaches = (uint8_t *)to, *runs = reaches + blocks * groups;
  for (size_t b = 0; b < blocks; b++)
    for (size_t g = 0; g < groups; g++) {
      const int8_t *group = (const int8_t *)packed + (b * groups + g) * size;
      *reaches++ = (uint8_t)reach_of(group, 1);
      if (g % INTEGER_RUN)
        continue;
      int whole = g + INTEGER_RUN <= groups;
      *runs++ = !whole                                                                               ? 1
                : reach_of(group, INTEGER_RUN) <= INTEGER_REACH                                      ? INTEGER_RUN
                : reach_of(group, 2) <= INTEGER_REACH && reach_of(group + 2 * size, 2) <= INTEGER_REACH ? 2
                                                                                                     : 1;
    }
}

/* Lays out the weights of one phase by itself, in windows of the phase that it is a part of, and takes what `zero` adds to
   each output off its bias. */
static void lay_out(const ck_integer_layer *layer, const integer_phase *whole, const integer_phase *part, int8_t *rows,
                    int32_t *bias) {
  const ck_convolution *g = &layer->convolution;
  size_t source = source_channels(g), target = target_channels(g), k = (size_t)g->kernel;
  /* From one output channel and window pixel to the next. */
  size_t output = g->transposed ? source : k * k * source, pixel = g->transposed ? source * target : source;
  for (size_t o = 0; o < target; o++, rows += whole->window) {
    uint32_t sum = 0;
    for (int32_t y = 0; y < part->rows; y++)
      for (int32_t x = 0; x < part->columns; x++) {
        int32_t wy = part->first_y + y * part->tap, wx = part->first_x + x * part->tap;
        const int8_t *from = layer->weights + o * output + (size_t)(wy * g->kernel + wx) * pixel;
        int8_t *to = rows + (size_t)((y + part->low_y - whole->low_y) * whole->columns + x + part->low_x - whole->low_x) * source;
        for (size_t c = 0; c < source; c++)
          sum += (uint32_t)(to[c] = from[c]);
      }
    bias[o] = (int32_t)((uint32_t)layer->bias[o] - (uint32_t)layer->zero * sum);
  }
}

int ck_integer_layer_pack(const ck_integer_layer *layer, void *packed) {
  const ck_convolution *g = &layer->convolution;
  if (g->kernel == 0) {
    ck_integer_pack(layer->inputs, layer->outputs, layer->weights, packed);
    return 0;
  }
  size_t largest = 0;
  for (int32_t i = 0; i < phase_count(g); i++) {
    integer_phase phase = phase_of(g, i);
    largest = phase.window * phase.outputs > largest ? phase.window * phase.outputs : largest;
  }
  int8_t *rows = ck_scratch_take(largest + 1);
  if (!rows)
    return -1;
  uint8_t *to = packed;
  for (int32_t i = 0; i < phase_count(g); i++) {
    integer_phase phase = phase_of(g, i);
    int32_t *bias = (int32_t *)(void *)to;
    memset(rows, 0, phase.window * phase.outputs);
    for (int32_t part = 0; part < phase.side * phase.side; part++) {
      integer_phase one = phase.side > 1 ? phase_alone(g, part) : phase;
      size_t first = (size_t)part * target_channels(g);
      lay_out(layer, &phase, &one, rows + first * phase.window, bias + first);
    }
    ck_integer_pack(phase.window, phase.outputs, rows, to + round_up(phase.outputs * sizeof *bias, INTEGER_LINE));
    to += phase_size(&phase);
  }
  ck_scratch_give(rows);
  return 0;
}

int64_t ck_integer_reach(size_t inputs, const int8_t *weights) {
  int64_t sum = 0;
  int8_t lowest = 0;
  /* Parts whose sums fit in fewer bits, of which more fit in a vector. */
  for (size_t first = 0; first < inputs; first += 1024) {
    int part = 0;
    for (size_t i = first; i < inputs && i < first + 1024; i++) {
      part += weights[i] < 0 ? -weights[i] : weights[i];
      lowest = weights[i] < lowest ? weights[i] : lowest;
    }
    sum += part;
  }
  return lowest < -127 ? -1 : sum;
}

/* The code around the loops of the kernels. */

/* (sum * multiplier + 2^(shift-1)) >> shift, in low ... high. */
static int64_t scaled(const ck_integer_layer *layer, size_t channel, int32_t sum, int64_t low, int64_t high) {
  int64_t t = ((int64_t)sum * layer->multiplier[channel] + ((int64_t)1 << (layer->shift - 1))) >> layer->shift;
  return t < low ? low : t > high ? high : t;
}

/* A tile of a layer whose weights are not packed. */
static void plain(const integer_tile *tile) {
  const ck_integer_layer *layer = tile->layer;
  for (size_t image = 0; image < tile->images; image++)
    for (size_t o = 0; o < layer->outputs; o++) {
      const int8_t *w = layer->weights + o * layer->inputs;
      int32_t sum = layer->bias[o];
      for (size_t i = 0; i < layer->inputs; i++) {
        size_t at = image * layer->inputs + i;
        sum += w[i] * (tile->wide ? ((const int16_t *)tile->x)[at] : ((const uint8_t *)tile->x)[at]);
      }
      size_t at = image * layer->outputs + o;
      int64_t t = tile->kind == INTEGER_BYTES ? scaled(layer, o, sum, -2048, 2047)
                                              : scaled(layer, o, sum, -16383, 16383);
      if (tile->kind == INTEGER_BYTES)
        ((uint8_t *)tile->y)[at] = layer->table[t + 2048];
      if (tile->kind == INTEGER_WORDS)
        ((int16_t *)tile->y)[at] = (int16_t)t;
      if (tile->kind == INTEGER_SUMS)
        ((int32_t *)tile->y)[at] = sum;
      if (tile->kind == INTEGER_FLOATS)
        ((float *)tile->y)[at] = (float)sum * tile->scales[o];
    }
}

/* A layer on `images` rows, a tile at a time; `tile` says what they are. */
static void run_layer(const integer_kernels *kernel, integer_tile tile, size_t images, size_t width, size_t size) {
  const uint8_t *x = tile.x;
  uint8_t *y = tile.y;
  tile.row = tile.layer->inputs;
  for (size_t i = 0; i < images; i += tile.images) {
    tile.images = images - i < kernel->images ? images - i : kernel->images;
    tile.x = x + i * width;
    tile.y = y + i * size;
    (tile.layer->packed ? kernel->tile : plain)(&tile);
  }
}

/* Bytes of what a caller asks for. */
static const size_t kind_sizes[] = {
    [INTEGER_BYTES] = 1, [INTEGER_WORDS] = 2, [INTEGER_SUMS] = 4, [INTEGER_FLOATS] = 4};

/* memcpy of what is short, most of the time. */
static inline void copy(uint8_t *to, const uint8_t *from, size_t size) {
  if (size >= 16) {
    for (size_t i = 0; i + 16 < size; i += 16)
      memcpy(to + i, from + i, 16);
    memcpy(to + size - 16, from + size - 16, 16);
  } else if (size >= 4) {
    memcpy(to, from, 4);
    memcpy(to + size / 8 * 4, from + size / 8 * 4, 4);
    memcpy(to + size - size / 8 * 4 - 4, from + size - size / 8 * 4 - 4, 4);
    memcpy(to + size - 4, from + size - 4, 4);
  } else {
    for (size_t i = 0; i < size; i++)
      to[i] = from[i];
  }
}

/* Gathers the window whose corner is at source pixel (y, x), of `size` bytes a number; `empty` is one pixel that lies
   outside. */
static void gather(const ck_convolution *g, const integer_phase *phase, int32_t y, int32_t x, size_t pixel,
                   const uint8_t *map, const uint8_t *empty, uint8_t *window) {
  int32_t width = g->transposed ? g->coarse_width : g->fine_width, height = g->transposed ? g->coarse_height : g->fine_height;
  int32_t first = x < 0 ? -x : 0, end = width - x < phase->columns ? width - x : phase->columns;
  for (int32_t i = 0; i < phase->rows; i++, y++, window += (size_t)phase->columns * pixel) {
    int inside = y >= 0 && y < height && end > first;
    int32_t from = inside ? first : phase->columns, to = inside ? end : phase->columns;
    for (int32_t j = 0; j < from; j++)
      copy(window + (size_t)j * pixel, empty, pixel);
    if (inside)
      copy(window + (size_t)from * pixel, map + ((size_t)y * (size_t)width + (size_t)(x + from)) * pixel,
           (size_t)(to - from) * pixel);
    for (int32_t j = to; j < phase->columns; j++)
      copy(window + (size_t)j * pixel, empty, pixel);
  }
}

/* A window that lies inside of its map: `rows` times `size` bytes, from `line` to the next. Whole vectors are copied; what
   follows is written next, or never looked at. */
static inline void gather_inside(const uint8_t *from, size_t line, int32_t rows, size_t size, uint8_t *window) {
  for (int32_t i = 0; i < rows; i++, from += line, window += size)
    for (size_t at = 0; at < size; at += INTEGER_COPY)
      memcpy(window + at, from + at, INTEGER_COPY);
}

/* A convolution of some images, whose rows of pixels are cut into bands. */
typedef struct convolution_job {
  const integer_kernels *kernel;
  const integer_tile *tile;
  size_t images, bands;
  int32_t width, height; /* of the maps that come out */
  size_t number, row;    /* bytes of a number, and from one window to the next */
  size_t most;           /* windows that are gathered at once */
  atomic_int refused;
} convolution_job;

/* A phase of a band of one image: the windows of a few pixels at a time. `memory` has room for them, for what comes out and
   for an empty pixel. */
static void run_phase(const convolution_job *job, const integer_phase *phase, const uint8_t *packed, size_t image, size_t band,
                      uint8_t *memory) {
  const integer_tile *tile = job->tile;
  const ck_convolution *g = &tile->layer->convolution;
  size_t inputs = CK_ROW_INPUTS(tile->layer), target = target_channels(g), pixel = source_channels(g) * job->number;
  /* Bytes of a pixel, and of what comes out of a window. */
  size_t size = kind_sizes[tile->kind] * target, square = kind_sizes[tile->kind] * phase->outputs;
  const uint8_t *map = (const uint8_t *)tile->x + image * inputs * job->number;
  uint8_t *y = (uint8_t *)tile->y + image * CK_ROW_OUTPUTS(tile->layer) * kind_sizes[tile->kind];
  uint8_t *result = memory + job->most * job->row + INTEGER_LINE, *empty = result + round_up(job->most * square, INTEGER_LINE);
  memset(empty, tile->layer->zero, pixel);
  ck_integer_layer dense = *tile->layer;
  dense.convolution.kernel = 0;
  dense.inputs = phase->window;
  dense.outputs = phase->outputs;
  dense.bias = (const int32_t *)(const void *)packed;
  dense.packed = packed + round_up(phase->outputs * sizeof(int32_t), INTEGER_LINE);
  int32_t multipliers[INTEGER_TOGETHER];
  float scales[INTEGER_TOGETHER];
  if (phase->side > 1) {
    for (size_t o = 0; o < phase->outputs; o++) {
      multipliers[o] = tile->layer->multiplier[o % target];
      scales[o] = tile->scales ? tile->scales[o % target] : 0;
    }
    dense.multiplier = multipliers;
  }
  integer_tile part = {.layer = &dense, .scales = phase->side > 1 ? scales : tile->scales, .wide = tile->wide, .kind = tile->kind,
                       .row = job->row / job->number, .slack = 1};
  /* Where what comes out goes, and what of it is inside of the map. */
  struct {
    uint8_t *at;
    int32_t rows, columns;
  } to[INTEGER_IMAGES * INTEGER_TILES];
  uint8_t *first = result;
  size_t count = 0;
  int32_t source_width = g->transposed ? g->coarse_width : g->fine_width;
  /* Windows that begin up to here are inside; and how far from where one begins vectors are read. */
  int32_t last_y = (g->transposed ? g->coarse_height : g->fine_height) - phase->rows, last_x = source_width - phase->columns;
  size_t run = (size_t)phase->columns * pixel, line = (size_t)source_width * pixel;
  size_t reach = phase->rows > 0 ? (size_t)(phase->rows - 1) * line + round_up(run, INTEGER_COPY) : 0;
  size_t rows = job->height > phase->y ? (size_t)((job->height - phase->y - 1) / phase->step + 1) : 0;
  int32_t end = (int32_t)(rows * (band + 1) / job->bands);
  for (int32_t row = (int32_t)(rows * band / job->bands); row < end; row++) {
    int32_t py = phase->y + row * phase->step, sy = phase->low_y + row * phase->stride;
    for (int32_t px = phase->x, sx = phase->low_x; px < job->width; px += phase->step, sx += phase->stride) {
      uint8_t *window = memory + count * job->row;
      size_t at = (size_t)sy * line + (size_t)sx * pixel;
      if (sy >= 0 && sy <= last_y && sx >= 0 && sx <= last_x && at + reach <= inputs * job->number)
        gather_inside(map + at, line, phase->rows, run, window);
      else
        gather(g, phase, sy, sx, pixel, map, empty, window);
      uint8_t *place = y + ((size_t)py * (size_t)job->width + (size_t)px) * size;
      /* Where no phase lies between, a few pixels are one after another. */
      if (phase->step == 1 && count == 0)
        first = place;
      to[count].at = place;
      to[count].rows = job->height - py < phase->side ? job->height - py : phase->side;
      to[count++].columns = job->width - px < phase->side ? job->width - px : phase->side;
      if (count < job->most && (row + 1 < end || px + phase->step < job->width))
        continue;
      for (size_t p = 0; p < count; p += part.images) {
        part.images = count - p < job->kernel->images ? count - p : job->kernel->images;
        part.x = memory + p * job->row;
        part.y = first + p * square;
        job->kernel->tile(&part);
      }
      for (size_t p = 0; p < count && phase->step > 1; p++)
        for (int32_t i = 0; i < to[p].rows; i++)
          copy(to[p].at + (size_t)(i * job->width) * size, result + p * square + (size_t)(i * phase->side) * size,
               (size_t)to[p].columns * size);
      count = 0;
    }
  }
}

/* Some bands of the images. */
static void run_bands(convolution_job *job, size_t first, size_t end) {
  const ck_convolution *g = &job->tile->layer->convolution;
  const uint8_t *packed = job->tile->layer->packed;
  size_t windows = job->most * job->row + INTEGER_LINE;
  size_t results = round_up(job->most * kind_sizes[job->tile->kind] * phase_of(g, 0).outputs, INTEGER_LINE);
  uint8_t *memory = ck_scratch_take(windows + results + source_channels(g) * job->number);
  if (!memory) {
    atomic_store_explicit(&job->refused, 1, memory_order_relaxed);
    return;
  }
  memset(memory, 0, windows);
  for (int32_t i = 0; i < phase_count(g); i++) {
    integer_phase phase = phase_of(g, i);
    for (size_t index = first; index < end; index++)
      run_phase(job, &phase, packed, index / job->bands, index % job->bands, memory);
    packed += phase_size(&phase);
  }
  ck_scratch_give(memory);
}

static void run_band(void *context, size_t index) {
  run_bands(context, index, index + 1);
}

/* A convolution on `images` rows of bytes or words. Threads share the bands of large maps if they are not at work already.
   Returns -1 if memory was refused. */
static int run_convolution(const integer_kernels *kernel, const integer_tile *tile, size_t images) {
  const ck_convolution *g = &tile->layer->convolution;
  convolution_job job = {.kernel = kernel,
                         .tile = tile,
                         .images = images,
                         .bands = 1,
                         .width = g->transposed ? g->fine_width : g->coarse_width,
                         .height = g->transposed ? g->fine_height : g->coarse_height,
                         .number = tile->wide ? 2 : 1};
  size_t largest = 0, pixels = (size_t)job.width * (size_t)job.height;
  for (int32_t i = 0; i < phase_count(g); i++) {
    size_t window = phase_of(g, i).window * job.number;
    largest = window > largest ? window : largest;
  }
  job.row = round_up(largest, INTEGER_LINE);
  /* The windows of several tiles at once: by the time that one is read, it has been written. */
  size_t tiles = INTEGER_WINDOWS / (kernel->images * job.row + 1), all = (pixels + kernel->images - 1) / kernel->images;
  tiles = tiles < all ? tiles : all;
  job.most = kernel->images * (tiles < 1 ? 1 : tiles > INTEGER_TILES ? INTEGER_TILES : tiles);
  size_t work = pixels * largest * target_channels(g) / INTEGER_BAND, most = 4 * (size_t)ck_thread_count();
  if (ck_thread_count() > 1 && work > 0)
    job.bands = work < most ? work : most;
  if (job.bands > 1)
    ck_parallel(images * job.bands, run_band, &job);
  else
    run_bands(&job, 0, images);
  return atomic_load_explicit(&job.refused, memory_order_relaxed) ? -1 : 0;
}

/* ---- Nodes without weights ---- */

/* The part of pixel p's window that lies inside of an axis of `size` pixels. */
static void inside(const ck_convolution *g, int32_t p, int32_t size, int32_t *first, int32_t *end) {
  *first = g->kernel < 0 ? 0 : p * g->stride - g->padding;
  *end = g->kernel < 0 ? size : *first + g->kernel;
  *first = *first < 0 ? 0 : *first;
  *end = *end > size ? size : *end;
}

/* Channels that a pool takes at once. */
enum { INTEGER_CHANNELS = 32 };

/* A pool of one map. A mean is rounded to the nearest, halves up. */
static void pool(const ck_convolution *g, int mean, const uint8_t *x, uint8_t *y) {
  size_t channels = (size_t)g->fine_channels, wide = (size_t)g->fine_width * channels;
  for (int32_t row = 0; row < g->coarse_height; row++)
    for (int32_t column = 0; column < g->coarse_width; column++, y += channels) {
      int32_t top, bottom, left, right;
      inside(g, row, g->fine_height, &top, &bottom);
      inside(g, column, g->fine_width, &left, &right);
      uint32_t count = (uint32_t)((bottom - top) * (right - left));
      /* A few channels at a time, which lie side by side. */
      for (size_t c = 0; c < channels; c += INTEGER_CHANNELS) {
        size_t few = channels - c < INTEGER_CHANNELS ? channels - c : INTEGER_CHANNELS;
        uint32_t sum[INTEGER_CHANNELS] = {0};
        uint8_t most[INTEGER_CHANNELS] = {0};
        for (int32_t i = top; i < bottom; i++)
          for (int32_t j = left; j < right; j++) {
            const uint8_t *from = x + (size_t)i * wide + (size_t)j * channels + c;
            if (mean)
              for (size_t l = 0; l < few; l++)
                sum[l] += from[l];
            else
              for (size_t l = 0; l < few; l++)
                most[l] = from[l] > most[l] ? from[l] : most[l];
          }
        for (size_t l = 0; l < few && mean; l++)
          most[l] = (uint8_t)((2 * sum[l] + count) / (2 * count));
        memcpy(y + c, most, few);
      }
    }
}

/* A node without weights on one row of bytes. */
static void node_row(const ck_integer_layer *layer, const uint8_t *x0, const uint8_t *x1, uint8_t *y) {
  const ck_node *node = &layer->node;
  switch (node->operation) {
  case CK_ADD: {
    /* At most 4 * 255 * 2^31 and 2^61: far from the ends of int64. */
    const int64_t m0 = layer->multiplier[0], m1 = layer->multiplier[1];
    const int64_t offset = ((int64_t)1 << (layer->shift - 1)) - layer->zero * m0 - layer->second_zero * m1;
    const int shift = layer->shift;
    const uint8_t *table = layer->table + 2048;
    for (size_t i = 0; i < layer->outputs; i++) {
      int64_t t = (x0[i] * m0 + x1[i] * m1 + offset) >> shift;
      y[i] = table[t < -2048 ? -2048 : t > 2047 ? 2047 : t];
    }
    return;
  }
  case CK_ACTIVATE:
    for (size_t i = 0; i < layer->outputs; i++)
      y[i] = layer->table[x0[i]];
    return;
  case CK_CONCATENATE: {
    const size_t a = (size_t)node->channels[0], b = (size_t)node->channels[1], pixels = (size_t)node->pixels;
    const uint8_t *table = layer->table;
    for (size_t p = 0; p < pixels; p++) {
      for (size_t c = 0; c < a; c++)
        *y++ = table[*x0++];
      for (size_t c = 0; c < b; c++)
        *y++ = table[256 + *x1++];
    }
    return;
  }
  case CK_MEAN_POOL:
  case CK_MAX_POOL:
    pool(&layer->convolution, node->operation == CK_MEAN_POOL, x0, y);
    return;
  default:
    ck_move(node, &layer->convolution, layer->inputs, 1, x0, y);
  }
}

void ck_integer_node(const ck_integer_layer *layer, size_t count, const uint8_t *x0, const uint8_t *x1, uint8_t *y) {
  size_t second = ck_second_count(&layer->node, layer->inputs, layer->outputs);
  for (size_t row = 0; row < count; row++)
    node_row(layer, x0 + row * layer->inputs, x1 ? x1 + row * second : NULL, y + row * layer->outputs);
}

void ck_integer_move(const ck_integer_layer *layer, size_t count, const int16_t *x, int16_t *y) {
  for (size_t row = 0; row < count; row++)
    ck_move(&layer->node, &layer->convolution, layer->inputs, sizeof *x, x + row * layer->inputs,
            y + row * layer->outputs);
}

/* ---- Lists ---- */

/* Bytes of a number that node l gives, where those of its source have `source` bytes. */
static size_t number_size(const integer_job *job, size_t l, size_t source) {
  return job->layers[l].node.operation != CK_LAYER ? source : l == job->end ? kind_sizes[job->kind] : 1;
}

/* Takes the images of one task through all nodes. */
static void task(void *context, size_t index) {
  integer_job *job = context;
  const integer_kernels *kernel = kernels[ck_path()];
  size_t first = index * job->task_images;
  size_t images = job->count - first < job->task_images ? job->count - first : job->task_images;
  uint8_t few[INTEGER_STACK], *arena = few, *memory = NULL;
  if (images * job->arena > sizeof few) {
    arena = memory = ck_scratch_take(images * job->arena);
    if (!memory) {
      atomic_store_explicit(&job->refused, 1, memory_order_relaxed);
      return;
    }
  }
  size_t width = CK_ROW_INPUTS(job->layers) * (job->wide ? 2 : 1);
  const uint8_t *input = (const uint8_t *)job->x + first * width;
  for (size_t l = 0; l < job->layer_count; l++) {
    const ck_integer_layer *layer = job->layers + l;
    const uint8_t *x[2];
    size_t size[2], inputs = CK_ROW_INPUTS(layer);
    for (int i = 0; i < 2; i++) {
      size_t back = (size_t)layer->node.back[i] + 1;
      x[i] = back > l ? input : arena + images * job->offsets[l - back];
      size[i] = back > l ? width : job->sizes[l - back];
    }
    int last = l + 1 == job->layer_count;
    uint8_t *y = last ? (uint8_t *)job->y + first * job->sizes[l] : arena + images * job->offsets[l];
    integer_tile tile = {.layer = layer,
                         .x = x[0],
                         .y = y,
                         .scales = job->scales,
                         .wide = size[0] > inputs,
                         .kind = l == job->end ? job->kind : INTEGER_BYTES};
    if (layer->node.operation != CK_LAYER) {
      if (size[0] == inputs)
        for (size_t i = 0; i < images; i++)
          node_row(layer, x[0] + i * size[0], x[1] + i * size[1], y + i * job->sizes[l]);
      else
        for (size_t i = 0; i < images; i++)
          ck_move(&layer->node, &layer->convolution, inputs, size[0] / inputs, x[0] + i * size[0],
                  y + i * job->sizes[l]);
    } else if (!layer->convolution.kernel)
      run_layer(kernel, tile, images, size[0], job->sizes[l]);
    else if (run_convolution(kernel, &tile, images) != 0)
      atomic_store_explicit(&job->refused, 1, memory_order_relaxed);
  }
  ck_scratch_give(memory);
}

static const ck_node *node_of(const void *layers, size_t index) {
  return &((const ck_integer_layer *)layers)[index].node;
}

static int run(const ck_integer_layer *layers, size_t layer_count, size_t count, const void *x, int wide, void *y,
               int kind, const float *scales) {
  integer_job job = {.layers = layers,
                     .layer_count = layer_count,
                     .end = layer_count - 1,
                     .x = x,
                     .y = y,
                     .scales = scales,
                     .count = count,
                     .wide = wide,
                     .kind = kind};
  size_t few[2 * INTEGER_FEW_NODES], *sizes = few, *taken = NULL;
  if (layer_count > INTEGER_FEW_NODES) {
    sizes = taken = ck_scratch_take(2 * layer_count * sizeof *sizes);
    if (!taken)
      return -1;
  }
  size_t *offsets = sizes + layer_count, width = CK_ROW_INPUTS(layers) * (wide ? 2 : 1);
  while (job.end > 0 && layers[job.end].node.operation != CK_LAYER)
    job.end--;
  for (size_t l = 0; l < layer_count; l++) {
    size_t back = (size_t)layers[l].node.back[0] + 1, from = back > l ? width : sizes[l - back];
    sizes[l] = CK_ROW_OUTPUTS(layers + l) * number_size(&job, l, from / CK_ROW_INPUTS(layers + l));
  }
  job.sizes = sizes;
  job.offsets = offsets;
  /* What the last node gives goes to y, so there is no arena for one alone. */
  job.arena = layer_count > 1 ? ck_plan(layer_count - 1, node_of, layers, sizes, offsets) : 0;
  size_t images = kernels[ck_path()]->images;
  size_t most = INTEGER_ARENA / (job.arena + 1);
  if (count <= images && count <= most) {
    job.task_images = count;
    if (count > 0)
      task(&job, 0);
  } else {
    size_t tiles = count / images / ((size_t)ck_thread_count() * INTEGER_TASKS);
    job.task_images = (tiles < 1 ? 1 : tiles > INTEGER_TILES ? INTEGER_TILES : tiles) * images;
    if (job.task_images > most)
      job.task_images = most < 1 ? 1 : most;
    ck_parallel((count + job.task_images - 1) / job.task_images, task, &job);
  }
  ck_scratch_give(taken);
  return atomic_load_explicit(&job.refused, memory_order_relaxed) ? -1 : 0;
}

int ck_integer_network_bytes(const ck_integer_layer *layers, size_t layer_count, size_t count, const int16_t *x,
                             uint8_t *y) {
  return run(layers, layer_count, count, x, 1, y, INTEGER_BYTES, NULL);
}
int ck_integer_network_words(const ck_integer_layer *layers, size_t layer_count, size_t count, const uint8_t *x,
                             int16_t *y) {
  return run(layers, layer_count, count, x, 0, y, INTEGER_WORDS, NULL);
}
int ck_integer_network_floats(const ck_integer_layer *layers, size_t layer_count, size_t count, const uint8_t *x,
                              const float *scales, float *y) {
  return run(layers, layer_count, count, x, 0, y, INTEGER_FLOATS, scales);
}

int ck_integer_bytes_to_bytes(const ck_integer_layer *layer, size_t count, const uint8_t *x, uint8_t *y) {
  return run(layer, 1, count, x, 0, y, INTEGER_BYTES, NULL);
}
int ck_integer_bytes_to_words(const ck_integer_layer *layer, size_t count, const uint8_t *x, int16_t *y) {
  return run(layer, 1, count, x, 0, y, INTEGER_WORDS, NULL);
}
int ck_integer_bytes_to_sums(const ck_integer_layer *layer, size_t count, const uint8_t *x, int32_t *y) {
  return run(layer, 1, count, x, 0, y, INTEGER_SUMS, NULL);
}
int ck_integer_words_to_sums(const ck_integer_layer *layer, size_t count, const int16_t *x, int32_t *y) {
  return run(layer, 1, count, x, 1, y, INTEGER_SUMS, NULL);
}
int ck_integer_words_to_bytes(const ck_integer_layer *layer, size_t count, const int16_t *x, uint8_t *y) {
  return run(layer, 1, count, x, 1, y, INTEGER_BYTES, NULL);
}
