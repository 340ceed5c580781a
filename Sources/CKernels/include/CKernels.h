/*
 * CKernels: the innermost loops, as plain C. Every kernel is one template, compiled once for each
 * instruction set and chosen once at start; the plain C path is the oracle for the others.
 *
 * Integer kernels give the same integers on every path. Float kernels agree to within rounding
 * between paths, and are repeatable on one path whatever the number of threads: work is split by
 * fixed sizes, never by thread, and no sum is split at all unless its chunks are fixed.
 *
 * Matrices are row-major; `ld` is the distance between rows in elements. Nothing here checks its
 * arguments: Compute does.
 */
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

/* ---- Instruction sets ---- */

enum {
  CK_PATH_GENERIC = 0,
  CK_PATH_AVX2 = 1,
  CK_PATH_AVXVNNI = 2, /* AVX2, and for integers the 256-bit products of bytes of processors without AVX-512 */
  CK_PATH_AVX512 = 3,
  CK_PATH_NEON = 4,
  CK_PATH_DOTPROD = 5,
  CK_PATH_COUNT = 6
};

/** ck_scratch_trim() gives the memory that products keep between calls back to the system. */
void ck_scratch_trim(void);

/** ck_path() returns the path in use: the best the machine has, or what AE_CPU names and it has. */
int ck_path(void);
/** ck_path_available(path) returns 1 if this machine can run the path. */
int ck_path_available(int path);
/**
 * ck_path_select(path) makes `path` the one in use on the calling thread and in the parallel loops it
 * starts; -1 takes that back. It is for tests, which may run beside others. Returns 0, and changes
 * nothing, if the machine lacks the path.
 */
int ck_path_select(int path);
/** ck_path_name(path) returns "generic", "avx2", "avxvnni", "avx512", "neon" or "dotprod". */
const char *ck_path_name(int path);

/* ---- Contexts: what the calling thread, and the parallel loops that it starts, work with ---- */

/** What memory from a host's allocator lies on multiples of. */
enum { CK_ALIGNMENT = 64 };

typedef void *(*ck_allocate_function)(void *host, size_t byte_count, size_t alignment);
typedef void (*ck_free_function)(void *host, void *memory, size_t byte_count);

/** ck_allocator is a host's allocator, which lives as long as its references and the memory taken from it. */
typedef struct ck_allocator ck_allocator;

/** ck_context is how many threads parallel loops may use, 0 for the process's number, and where memory comes from,
 *  NULL for malloc. It holds no reference. */
typedef struct ck_context {
  ck_allocator *allocator;
  int threads;
} ck_context;

/** ck_context_current() returns the calling thread's; that of a thread which is in none is all 0. */
ck_context ck_context_current(void);
/** ck_context_enter(next) makes `next` the calling thread's, and returns what it was. */
ck_context ck_context_enter(ck_context next);

/** ck_allocator_make(allocate, free, host) returns one with one reference, or NULL if memory is refused. */
ck_allocator *ck_allocator_make(ck_allocate_function allocate, ck_free_function free, void *host);
/** ck_allocator_retain(allocator) adds a reference and returns it; NULL is nothing. Any thread may. */
ck_allocator *ck_allocator_retain(ck_allocator *allocator);
/** ck_allocator_release(allocator) takes one off; NULL is nothing. */
void ck_allocator_release(ck_allocator *allocator);
/**
 * ck_allocator_take(allocator, byte_count) returns memory on a 64-byte boundary, which holds a reference, or NULL if
 * the host refuses or gives it off that boundary. The host is called in the default floating-point environment.
 */
void *ck_allocator_take(ck_allocator *allocator, size_t byte_count);
/** ck_allocator_give(allocator, memory, byte_count) takes it back, with the size that was asked for. Any thread may. */
void ck_allocator_give(ck_allocator *allocator, void *memory, size_t byte_count);

/* ---- Threads ---- */

/** ck_thread_count() returns how many threads ck_parallel may use here, at least 1: the context's or the process's. */
int ck_thread_count(void);
/** ck_process_thread_count() returns how many it may use in no context. */
int ck_process_thread_count(void);
/** ck_set_thread_count(count) sets that; 0 means AE_THREADS or else the machine's processors. */
void ck_set_thread_count(int count);
/**
 * ck_parallel(task_count, task, context) calls task(context, i) for every i below task_count, on the
 * calling thread and at most ck_thread_count() - 1 of the pool's, all in the calling thread's context, in any order,
 * and returns when all are done. Calls from inside a
 * task, and calls while another thread has the pool, run on the calling thread alone. The pool
 * starts at first use, and starts anew in a child after fork. A task must not fork.
 */
void ck_parallel(size_t task_count, void (*task)(void *context, size_t index), void *context);

/**
 * ck_parallel_watched(task_count, task, context, watch) is ck_parallel that also calls watch(context) on the
 * calling thread, ten times a second while that waits for other threads' tasks; it may be NULL.
 */
void ck_parallel_watched(size_t task_count, void (*task)(void *context, size_t index), void *context,
                         void (*watch)(void *context));

/* ---- Floating-point environment ---- */

/**
 * ck_float_enter() makes the calling thread's floating-point environment the default one: to nearest, denormals kept,
 * exceptions masked. Returns what it was, for ck_float_leave(before), which puts it back, flags included. The pool's
 * threads are always in the default one.
 */
uint64_t ck_float_enter(void);
void ck_float_leave(uint64_t before);

/* ---- Float matrix product ---- */

/**
 * Activation functions. A leaky ReLU is CK_LEAKY_RELU + 256 * s, where s, 1 to 999, is a thousand times its slope for
 * negative numbers. GELU is x Phi(x) with the normal distribution itself, CK_GELU_TANH its approximation by tanh
 * (Hendrycks and Gimpel 2016). SiLU and both GELUs are not monotonic: their gradients need x, not f(x) alone.
 */
enum {
  CK_IDENTITY = 0,
  CK_SIGMOID = 1,
  CK_RELU = 2,
  CK_ELU = 3,
  CK_LEAKY_RELU = 4,
  CK_SILU = 5,
  CK_GELU = 6,
  CK_GELU_TANH = 7,
  CK_TANH = 8
};

/**
 * ck_sgemm computes C[m,n] = f(op(A)[m,k] op(B)[k,n] + bias[n] + (accumulate ? C : 0)).
 * op transposes if its flag is set: A is then stored [k,m], B [n,k]. bias may be NULL; f is one of
 * CK_IDENTITY ... CK_ELU. Returns 0, or -1 if memory for packed panels was refused. k may be 0.
 *
 * What is zero in op(A), or for A transposed in B, may be left out, which makes pictures with much
 * black cheaper by half. Bits do not depend on it, but an infinity or NaN that would only be
 * multiplied by zeros may go unnoticed.
 */
int ck_sgemm(int transpose_a, int transpose_b, size_t m, size_t n, size_t k, const float *a, size_t lda,
             const float *b, size_t ldb, float *c, size_t ldc, const float *bias, int activation,
             int accumulate);

/* ---- Convolutions ---- */

/**
 * ck_convolution is the geometry of a convolution from fine to coarse pictures, or of its transpose, from coarse to
 * fine. Pictures are [height, width, channels]. The window of coarse pixel (y, x) has its corner at fine pixel
 * (y stride - padding, x stride - padding) and is `kernel` wide and high; what of it lies outside counts as 0.
 *
 * Columns are the rows of a matrix [coarse pixels, kernel * kernel * fine channels]: each pixel's window. An ordinary
 * convolution has weights [coarse channels, kernel, kernel, fine channels] and is a dense layer over the
 * rows of columns; a transposed one has weights [kernel, kernel, fine channels, coarse channels]: a dense layer makes
 * columns of each coarse pixel, which are added up in place (col2im).
 */
typedef struct ck_convolution {
  int32_t fine_width, fine_height, fine_channels;
  int32_t coarse_width, coarse_height, coarse_channels;
  int32_t kernel, stride, padding; /* kernel 0 stands for a dense layer */
  int32_t transposed;
} ck_convolution;

/** Numbers in a fine picture, pixels of a coarse one, and numbers in a row of columns. */
size_t ck_fine_count(const ck_convolution *g);
size_t ck_coarse_pixels(const ck_convolution *g);
size_t ck_column_count(const ck_convolution *g);
/** ck_im2col(g, size, picture, columns) lays out one fine picture, of numbers of `size` bytes, as columns. */
void ck_im2col(const ck_convolution *g, size_t size, const void *picture, void *columns);
/**
 * ck_col2im(g, integers, columns, bias, picture) adds columns up in the fine picture, the transpose of ck_im2col, on top
 * of the channels' biases. All are floats, or all int32_t.
 */
void ck_col2im(const ck_convolution *g, int integers, const void *columns, const void *bias, void *picture);

/**
 * ck_convolution_forward computes y = f(convolution of x + bias) for `rows` pictures. Returns as ck_sgemm.
 */
int ck_convolution_forward(const ck_convolution *g, size_t rows, const float *x, const float *weights,
                           const float *bias, int activation, float *y);
/**
 * ck_convolution_backward computes, from dy, the gradient by the layer's pre-activations, the gradients dw and db of
 * weights and biases and, unless dx is NULL, dx, the gradient by the pre-activations of the layer before, whose
 * outputs x = f(pre-activations) were kept. Returns as ck_sgemm.
 */
int ck_convolution_backward(const ck_convolution *g, size_t rows, const float *dy, const float *x,
                            const float *weights, int activation, float *dx, float *dw, float *db);

/* ---- Eigenvectors ---- */

/**
 * ck_symmetric_eigen(n, matrix, vector_count, values, vectors) stores the n eigenvalues of a finite symmetric matrix
 * [n, n], descending, and the unit eigenvectors of the first vector_count of them as rows. 4/3 n^3 multiply-adds for
 * the values. Returns 0, -1 if memory was refused, or -2 if it did not converge, which no matrix has been seen to do.
 */
int ck_symmetric_eigen(size_t n, const double *matrix, size_t vector_count, double *values, double *vectors);

/* ---- Lists of nodes ---- */

/**
 * What a node of a network computes. CK_LAYER has weights: it is dense, a convolution or a transposed one, as its
 * `convolution` says. The others have none, and pictures are [height, width, channels]:
 *   CK_RESHAPE         the same numbers
 *   CK_ACTIVATE        an activation alone
 *   CK_ADD             of two sources of one shape, and then an activation
 *   CK_CONCATENATE     the channels of two sources with as many pixels
 *   CK_MEAN_POOL       means over windows, which have no padding
 *   CK_MAX_POOL        maxima over windows; what lies outside of the picture does not count
 *   CK_UPSAMPLE        each pixel becomes a square of `stride` by `stride`
 *   CK_CHANNELS_FIRST  from [pixels, channels] to [channels, pixels]
 *   CK_CHANNELS_LAST   back
 */
enum {
  CK_LAYER = 0,
  CK_RESHAPE = 1,
  CK_ACTIVATE = 2,
  CK_ADD = 3,
  CK_CONCATENATE = 4,
  CK_MEAN_POOL = 5,
  CK_MAX_POOL = 6,
  CK_UPSAMPLE = 7,
  CK_CHANNELS_FIRST = 8,
  CK_CHANNELS_LAST = 9
};

/**
 * ck_node is how a layer stands in a list. All zero, it is a layer with weights whose input is what the one before it
 * gives. Source i of node n is node n - 1 - back[i], and node -1 the network's input. Only CK_ADD and CK_CONCATENATE have
 * a second source. For pools, the layer's `convolution` goes from fine to coarse pictures of as many channels; for
 * CK_UPSAMPLE it is transposed, from coarse to fine ones, with kernel = stride; `kernel` counts in both directions but for
 * a mean over a whole picture, where it is -1 and the coarse picture one pixel.
 */
typedef struct ck_node {
  int32_t operation;
  int32_t back[2];
  int32_t pixels;      /* of CK_CONCATENATE, CK_CHANNELS_FIRST and CK_CHANNELS_LAST */
  int32_t channels[2]; /* of the sources, likewise */
} ck_node;

/**
 * ck_plan(count, node, sizes, offsets) places the outputs of `count` nodes in one arena: output n, of sizes[n] numbers, at
 * offsets[n], such that it overlaps none that is still to be read, or read by n itself. `node(context, n)` returns node n.
 * Returns the size of the arena. At most CK_MOST_NODES nodes.
 */
enum { CK_MOST_NODES = 512 };
size_t ck_plan(size_t count, const ck_node *(*node)(const void *context, size_t index), const void *context,
               const size_t *sizes, size_t *offsets);

/* ---- Trained layers in floats ---- */

/**
 * A layer whose weights do not change any more. Of a convolution, inputs and outputs are those of the dense layer between
 * columns and pixels. Biases [outputs], or [channels] of a convolution, are read wherever they lie.
 */
typedef struct ck_dense_layer {
  size_t inputs, outputs; /* at most 65535 inputs */
  int activation;         /* CK_IDENTITY ... CK_ELU */
  ck_convolution convolution;
  const float *bias;
  void *packed;
  ck_node node; /* of one without weights, inputs and outputs are the numbers of its first source and its own */
} ck_dense_layer;

/**
 * ck_node_forward(node, rows, x0, x1, y) runs a node without weights on rows of one or two sources.
 * ck_node_backward(node, rows, x0, x1, y, dy, dx0, dx1) is its gradient: of dy, which for CK_ACTIVATE is the gradient by y
 * and for CK_ADD that by the sum before the activation, it makes those by x0 and x1. They are stored, not added; NULL
 * stands for one that is not wanted. Threads share the rows.
 */
void ck_node_forward(const ck_dense_layer *node, size_t rows, const float *x0, const float *x1, float *y);
void ck_node_backward(const ck_dense_layer *node, size_t rows, const float *x0, const float *x1, const float *y,
                      const float *dy, float *dx0, float *dx1);

/**
 * ck_dense_prepare(layer, weights) sets `packed`, from [outputs, inputs] or the convolution's weights; all else is set
 * already. Of a dense layer it serves all paths, of a convolution it says which path the layer runs on: the one that
 * this was called on. It is NULL if memory was refused. ck_dense_release(layer) takes it back.
 */
void ck_dense_prepare(ck_dense_layer *layer, const float *weights);
void ck_dense_release(ck_dense_layer *layer);

/** What rows are: floats; floats that are moved into [0, 1] as ck_clamp_unit does; bytes that stand for 255ths. */
enum { CK_ROWS_FLOATS = 0, CK_ROWS_UNIT = 1, CK_ROWS_BYTES = 2 };

/**
 * ck_dense_network(layers, layer_count, count, x, x_form, y, y_form, first_refused, first_overflow) runs `count` rows
 * through layers one after another, at least one. x is floats or bytes, y any of the three forms; rows are contiguous.
 * Threads share the rows through ck_parallel, and a row's bits depend on neither them nor the other rows.
 *
 * Returns 0, or -1 if memory was refused. *first_refused becomes the index of the first float of x that is not
 * finite, and then y is undefined, or else SIZE_MAX; *first_overflow the index of the first number of y that is not
 * finite before it is clamped, or SIZE_MAX.
 */
int ck_dense_network(const ck_dense_layer *layers, size_t layer_count, size_t count, const void *x, int x_form,
                     void *y, int y_form, size_t *first_refused, size_t *first_overflow);

/**
 * ck_adam_step is one step of Adam (Kingma and Ba 2015, algorithm 1) on some weights, of gradient g:
 *   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
 *   w = w - rate (m / correction1) / (sqrt(v / correction2) + epsilon)
 * where the corrections are 1 - beta^t; and then, if `average` is not NULL,
 *   average = average_decay average + (1 - average_decay) w
 */
typedef struct ck_adam_step {
  float *weights, *m, *v, *average;
  float rate, beta1, beta2, epsilon, correction1, correction2, average_decay;
} ck_adam_step;

/**
 * ck_sgemm_input_gradient computes dX[m,n] = (dY[m,k] W[k,n]) f'(X), where X = f(...) [m,n] is all that is
 * kept of the layer below; X may be NULL if f is CK_IDENTITY. Everything is dense. Returns as ck_sgemm.
 */
int ck_sgemm_input_gradient(size_t m, size_t n, size_t k, const float *dy, const float *w, const float *x,
                            int activation, float *dx);
/**
 * ck_sgemm_weight_gradient computes dW[m,n] = dY[k,m]^T X[k,n], all dense. Without a step it stores dW;
 * with one it makes that step on weights [m,n], and what dw then holds is undefined. What is zero in X
 * may be left out, as in ck_sgemm. Returns as ck_sgemm.
 */
int ck_sgemm_weight_gradient(size_t m, size_t n, size_t k, const float *dy, const float *x, float *dw,
                             const ck_adam_step *step);

/* ---- Elementwise passes ---- */

/** ck_activate(f, n, x) replaces x by f(x). */
void ck_activate(int activation, size_t n, float *x);
/** ck_activation_gradient(f, n, y, dy) multiplies dy by f'(x), where y = f(x) is all that is kept. */
void ck_activation_gradient(int activation, size_t n, const float *y, float *dy);
/** ck_activation_gradient_at(f, n, x, dy) multiplies dy by f'(x), given x itself: for every activation. */
void ck_activation_gradient_at(int activation, size_t n, const float *x, float *dy);
/** ck_from_u8(n, bytes, x) is x = bytes / 255. */
void ck_from_u8(size_t n, const uint8_t *bytes, float *x);
/** ck_to_u8(n, x, bytes) is bytes = round(255 * clamp(x, 0, 1)), ties to even; NaN gives 0. */
void ck_to_u8(size_t n, const float *x, uint8_t *bytes);
/** ck_clamp_unit(n, x) moves every x into [0, 1]; NaN gives 0. */
void ck_clamp_unit(size_t n, float *x);
/** ck_exp(n, x, y) is y = exp(x), within 2 ulp on [-87, 88], clamped outside. */
void ck_exp(size_t n, const float *x, float *y);
/** ck_first_not_finite(n, x) returns the index of the first x that is infinite or NaN, or n. */
size_t ck_first_not_finite(size_t n, const float *x);

/**
 * ck_squared_error(n, y, target, scale, dy) returns the sum of (y - target)^2 and, if dy is not NULL,
 * stores dy = scale * 2 (y - target).
 */
double ck_squared_error(size_t n, const float *y, const float *target, float scale, float *dy);
/**
 * ck_bernoulli(n, logits, target, scale, dlogits) returns the sum of the cross-entropies
 * softplus(x) - target x in nats and, if dlogits is not NULL, stores scale (sigmoid(x) - target).
 */
double ck_bernoulli(size_t n, const float *logits, const float *target, float scale, float *dlogits);
/** ck_sum_of_squares(n, x) returns the sum of x^2. */
double ck_sum_of_squares(size_t n, const float *x);
/** ck_add_column_sums(rows, columns, x, ld, sums) adds to sums[j] the sum over rows of x[i,j]. */
void ck_add_column_sums(size_t rows, size_t columns, const float *x, size_t ld, float *sums);

/** ck_adam(n, gradient, step) makes one step on n weights. */
void ck_adam(size_t n, const float *gradient, const ck_adam_step *step);

/**
 * ck_projection takes weights to the nearest ones of a pruned and quantised set, with what they lose in rounding kept in
 * `residual` for the next time (the straight-through estimator: what steps add up to counts, not what they are rounded to).
 * Of s = weights + residual, clamped to (largest + 1/2) step:
 *   q = keep (the multiple of `step` nearest to s, of magnitude at most largest * step; s itself if step is 0)
 *   residual = keep (s - q);  weights = q
 * where keep is 0 or 1.
 */
typedef struct ck_projection {
  float *weights, *residual;
  const float *keep;
  float step, largest;
} ck_projection;

/** ck_project(n, projection) does so for n weights. */
void ck_project(size_t n, const ck_projection *projection);

/* ---- Integer layers: exact on every path ---- */

/** The entries of an activation table: pre-activations of 12 bits, index = t + 2048. */
enum { CK_TABLE_COUNT = 4096 };

/**
 * ck_integer_layer is a dense layer in integers. For output o of one image
 *   acc = bias[o] + sum over i of weights[o * inputs + i] * x[i]        (fits in int32 by contract)
 *   t   = (acc * multiplier[o] + 2^(shift-1)) >> shift                   (int64, arithmetic shift)
 * and then, by what the caller asks for,
 *   bytes:   y = table[clamp(t, -2048, 2047) + 2048]
 *   words:   y = clamp(t, -16383, 16383)
 *   sums:    y = acc
 * `packed` is what ck_integer_layer_pack made of the weights, or, but for a convolution, NULL to use `weights`.
 *
 * For a convolution, inputs and outputs are those of the dense layer between columns and pixels, x counts from
 * `zero`, which stands for 0 outside of the picture too, and biases and multipliers are one for each channel of
 * the picture that comes out. It gives bytes or sums for bytes.
 */
typedef struct ck_integer_layer {
  size_t inputs, outputs;
  const int8_t *weights; /* [outputs, inputs] */
  const void *packed;
  const int32_t *bias;       /* [outputs] */
  const int32_t *multiplier; /* [outputs], 0 ... 2^31 - 1 */
  int shift;                 /* 1 ... 62 */
  const uint8_t *table;      /* [4096], for bytes */
  ck_convolution convolution;
  int32_t zero;
  /* Form 2 of the integers: all weights are in -63 ... 63, so that products of two bytes each add up in 16 bits. */
  int32_t narrow;
  /* Of a node without weights, inputs and outputs are the numbers of its first source and its own; see below. */
  ck_node node;
  int32_t second_zero;
} ck_integer_layer;

/*
 * Nodes without weights, on bytes (and words, where numbers are only moved: CK_RESHAPE, CK_CHANNELS_FIRST and _LAST
 * before the first layer of a decoder):
 *   CK_ADD          t = ((x0 - zero) multiplier[0] + (x1 - second_zero) multiplier[1] + 2^(shift-1)) >> shift in int64,
 *                   y = table[clamp(t, -2048, 2047) + 2048]
 *   CK_ACTIVATE     y = table[x], of 256 bytes
 *   CK_CONCATENATE  y = table[x0] and table[256 + x1], of 512 bytes
 *   CK_MEAN_POOL    y = floor((2 sum + n) / 2n), n numbers of a window
 *   all others move bytes, or take the largest.
 * A convolution that is a decoder's first layer takes words, and then its `zero` is 0.
 */

/** ck_integer_packed_size(inputs, outputs) returns the bytes that ck_integer_pack writes, on any path. */
size_t ck_integer_packed_size(size_t inputs, size_t outputs);
/**
 * ck_integer_pack(inputs, outputs, weights, packed) arranges weights for this machine. The arrangement
 * is the same on all paths of one machine, so that a path selected later still finds it right.
 */
void ck_integer_pack(size_t inputs, size_t outputs, const int8_t *weights, void *packed);

/**
 * ck_integer_layer_size(layer) returns the bytes that ck_integer_layer_pack(layer, packed) writes of a layer that has
 * everything but `packed`, which lies on a 64-byte boundary. A dense one is packed as ck_integer_pack does it, of a
 * convolution the windows of each output phase. It returns 0, or -1 if memory was refused.
 */
size_t ck_integer_layer_size(const ck_integer_layer *layer);
int ck_integer_layer_pack(const ck_integer_layer *layer, void *packed);

/**
 * ck_integer_reach(inputs, weights) returns the sum of the weights' magnitudes, or -1 if one of them is -128.
 */
int64_t ck_integer_reach(size_t inputs, const int8_t *weights);

/**
 * The layer on `count` images: x is count rows of `inputs` bytes or words, y of `outputs`; rows are
 * contiguous. Threads share the work through ck_parallel. Words of x lie in [-16383, 16383].
 * They return 0, or -1 if memory was refused.
 */
int ck_integer_bytes_to_bytes(const ck_integer_layer *layer, size_t count, const uint8_t *x, uint8_t *y);
int ck_integer_bytes_to_words(const ck_integer_layer *layer, size_t count, const uint8_t *x, int16_t *y);
int ck_integer_bytes_to_sums(const ck_integer_layer *layer, size_t count, const uint8_t *x, int32_t *y);
int ck_integer_words_to_sums(const ck_integer_layer *layer, size_t count, const int16_t *x, int32_t *y);
int ck_integer_words_to_bytes(const ck_integer_layer *layer, size_t count, const int16_t *x, uint8_t *y);

/**
 * A node without weights alone: `count` rows of bytes of one source or two (x1 is NULL for one), and of those that move
 * numbers, of words.
 */
void ck_integer_node(const ck_integer_layer *node, size_t count, const uint8_t *x0, const uint8_t *x1, uint8_t *y);
void ck_integer_move(const ck_integer_layer *node, size_t count, const int16_t *x, int16_t *y);

/**
 * Layers one after another, at least one, each one's bytes the next one's inputs: what the calls above give in
 * turn, but with a few images at a time going through all layers while they are in cache. A decoder gives
 * bytes for words, an encoder words for bytes or, for floats, its last sums times scales[output].
 */
int ck_integer_network_bytes(const ck_integer_layer *layers, size_t layer_count, size_t count, const int16_t *x,
                             uint8_t *y);
int ck_integer_network_words(const ck_integer_layer *layers, size_t layer_count, size_t count, const uint8_t *x,
                             int16_t *y);
int ck_integer_network_floats(const ck_integer_layer *layers, size_t layer_count, size_t count, const uint8_t *x,
                              const float *scales, float *y);

#endif
