/*
 * A template (see each_path.h): the sums of a convolution over windows that are read in place, and those of the
 * gradient of its weights. In the first, pixels are a tile's rows and channels its vectors; in the second, coarse
 * channels are the rows and a window's numbers the vectors.
 *
 * Each number is one chain of multiply-adds: of a window from the bias on, in the order in which it lies; of a gradient
 * over the pixels of some pictures, which are added to those before.
 */
#include "vector_template.h"

/* Rows of a tile of two vectors: as many sums as leave registers for a row of weights and one of x. The path of
   old machines has fewer, for fewer bytes. */
#if CK_REGISTERS == 32
#define ROWS 7
#elif CK_IS_GENERIC
#define ROWS 4
#else
#define ROWS 6
#endif
/* What is done once for a tile stays a loop, for fewer bytes. */
#define ONCE _Pragma("clang loop unroll(disable)")
#define EACH_ROW _Pragma("clang loop unroll(full)") for (size_t r = 0; r < ROWS; r++)

/* Of pixels from `first` on, the channels from `channel` on: adds what a piece of the window gives. A pixel that the tile
   lacks is the last one again. */
static void FN(window_tile)(const window_job *job, const window_piece *piece, size_t first, size_t channel) {
  const float *row[ROWS], *w = piece->weights;
  float *to[ROWS];
  vf sum[ROWS][2];
  /* Where channels are too few for two vectors. */
  _Alignas(64) float sums[ROWS][2 * VL];
  size_t left = job->channels - channel;
  ONCE for (size_t r = 0; r < ROWS; r++) {
    size_t pixel = first + r < job->count ? first + r : job->count - 1;
    row[r] = job->x + job->from[pixel] + piece->first * job->row_step;
    to[r] = job->y + job->to[pixel] + channel;
  }
  if (piece->bias) {
    vf bias[2] = {vload(piece->bias), vload(piece->bias + VL)};
    EACH_ROW {
      sum[r][0] = bias[0];
      sum[r][1] = bias[1];
    }
  } else if (left >= 2 * VL) {
    EACH_ROW {
      sum[r][0] = vload(to[r]);
      sum[r][1] = vload(to[r] + VL);
    }
  } else {
    ONCE for (size_t r = 0; r < ROWS; r++) memcpy(sums[r], to[r], left * sizeof(float));
    EACH_ROW {
      sum[r][0] = vload(sums[r]);
      sum[r][1] = vload(sums[r] + VL);
    }
  }
  ONCE for (size_t t = 0; t < piece->taps; t++) {
    ONCE for (size_t i = 0; i < job->run; i++, w += 2 * VL) {
      vf right[2] = {vload(w), vload(w + VL)};
      EACH_ROW {
        sum[r][0] += row[r][i] * right[0];
        sum[r][1] += row[r][i] * right[1];
      }
    }
    EACH_ROW row[r] += job->row_step;
  }
  if (left >= 2 * VL) {
    EACH_ROW {
      vstore(to[r], sum[r][0]);
      vstore(to[r] + VL, sum[r][1]);
    }
  } else {
    EACH_ROW {
      vstore(sums[r], sum[r][0]);
      vstore(sums[r] + VL, sum[r][1]);
    }
    ONCE for (size_t r = 0; r < ROWS; r++) memcpy(to[r], sums[r], left * sizeof(float));
  }
}

static void FN(windows)(const window_job *job) {
  window_piece piece = {.weights = job->packed};
  for (size_t channel = 0; channel < job->channels; channel += 2 * VL) {
    piece.bias = piece.weights;
    piece.weights += 2 * VL;
    for (piece.first = 0; piece.first < job->taps || piece.bias; piece.first += piece.taps) {
      piece.taps = job->taps - piece.first < job->together ? job->taps - piece.first : job->together;
      for (size_t first = 0; first < job->count; first += ROWS)
        FN(window_tile)(job, &piece, first, channel);
      piece.bias = NULL;
      piece.weights += piece.taps * job->run * 2 * VL;
    }
  }
}

/* Adds to sums[ROWS][row] what two vectors of numbers of every window give with ROWS channels. */
static void FN(gradient_tile)(const gradient_job *job, const float *x, const float *coarse, float *sums, size_t row) {
  vf sum[ROWS][2];
  EACH_ROW sum[r][0] = sum[r][1] = (vf){};
  const uint32_t *from = job->from, *end = from + job->count;
  ONCE for (; from < end; from++, coarse += ROWS) {
    vf right[2] = {vload(x + *from), vload(x + *from + VL)};
    EACH_ROW {
      sum[r][0] += coarse[r] * right[0];
      sum[r][1] += coarse[r] * right[1];
    }
  }
  EACH_ROW {
    vstore(sums, vload(sums) + sum[r][0]);
    vstore(sums + VL, vload(sums + VL) + sum[r][1]);
    sums += row;
  }
}

static void FN(gradient)(const gradient_job *job) {
  size_t padded_run = round_up(job->run, 2 * VL), row = job->taps * padded_run;
  /* What windows give is read again and again from the first-level cache, for all channels in turn. */
  for (size_t tap = 0; tap < job->taps; tap++)
    for (size_t i = 0; i < padded_run; i += 2 * VL)
      for (size_t c = 0; c < job->channels; c += ROWS)
        FN(gradient_tile)(job, job->x + tap * job->row_step + i, job->coarse + c * job->count,
                          job->sums + c * row + tap * padded_run + i, row);
}

static const window_kernels FN(kernels) = {2 * VL, FN(windows), ROWS, FN(gradient)};

#undef ROWS
#undef ONCE
#undef EACH_ROW
#include "vector_template_end.h"
