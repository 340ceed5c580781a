/*
 * The private interface between the files of CKernels: scratch memory, and the names by which a template's functions
 * differ from one instruction set to the next.
 */
#ifndef CK_INTERNAL_H
#define CK_INTERNAL_H

#include "CKernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define CK_INLINE static inline __attribute__((always_inline))
#define CK_JOIN_(a, b) a##_##b
#define CK_JOIN(a, b) CK_JOIN_(a, b)
/** FN(name) is `name` as compiled for the path that the template is being included for. */
#define FN(name) CK_JOIN(name, CK_PATH_SUFFIX)

/**
 * CK_KERNELS(avxvnni, dotprod) is the table from paths to the `kernels` that a template defines for each; `avxvnni` and
 * `dotprod` are the paths whose kernels serve those whose own differ in products of bytes alone.
 */
#if defined(__x86_64__)
#define CK_KERNELS(avxvnni, dotprod)                                                                         \
  {[CK_PATH_GENERIC] = &kernels_generic,                                                                     \
   [CK_PATH_AVX2] = &kernels_avx2,                                                                           \
   [CK_PATH_AVXVNNI] = &kernels_##avxvnni,                                                                   \
   [CK_PATH_AVX512] = &kernels_avx512}
#elif defined(__aarch64__)
#define CK_KERNELS(avxvnni, dotprod)                                                                         \
  {[CK_PATH_GENERIC] = &kernels_generic, [CK_PATH_NEON] = &kernels_neon, [CK_PATH_DOTPROD] = &kernels_##dotprod}
#else
#define CK_KERNELS(avxvnni, dotprod) {[CK_PATH_GENERIC] = &kernels_generic}
#endif

/** The least multiple of `to` that is not below n. */
static inline size_t round_up(size_t n, size_t to) {
  return (n + to - 1) / to * to;
}

/**
 * ck_scratch_take(byte_count) returns memory on a 64-byte boundary, or NULL if it is refused. Blocks
 * are kept between calls, 64 MiB in all at most, because fresh pages cost more than most products do; in a context
 * with an allocator they come from that and go back to it. Any thread may give back what another took.
 */
void *ck_scratch_take(size_t byte_count);
/** ck_scratch_give(memory) takes it back; NULL does nothing. */
void ck_scratch_give(void *memory);

/** ck_scratch_fresh(byte_count) is ck_scratch_take for memory that stays: no larger block is spent on it. */
void *ck_scratch_fresh(size_t byte_count);

/** Whether this is a convolution that reads windows; with too few channels for that, it uses col2im. */
int ck_has_windows(const ck_convolution *g);
/** Its weights, packed for the current path; NULL if memory was refused. */
struct ck_windows *ck_windows_pack(const ck_convolution *g, const float *weights, const float *bias);
/** Numbers of a picture padded with zeros. */
size_t ck_windows_margins(const struct ck_windows *windows);
/** A convolution of one picture, before its activation; `margins` is zero but for the picture. */
void ck_windows_run(const struct ck_windows *windows, const float *x, float *margins, float *y);

/** ck_path_selected() returns what ck_path_select set on this thread, or -1. */
int ck_path_selected(void);

/** Numbers in a row of a layer: of fine or coarse pictures, or for all that is no convolution the `dense` ones. */
size_t ck_row_count(const ck_node *node, const ck_convolution *g, int fine, size_t dense);
#define CK_ROW_INPUTS(layer)                                                                                 \
  ck_row_count(&(layer)->node, &(layer)->convolution, !(layer)->convolution.transposed, (layer)->inputs)
#define CK_ROW_OUTPUTS(layer)                                                                                \
  ck_row_count(&(layer)->node, &(layer)->convolution, (layer)->convolution.transposed, (layer)->outputs)

/* The path's kernel under ck_adam, for products that make a step with their own sums: n numbers from `first`
   on of the step's arrays, and n of the gradient. */
typedef void (*ck_adam_kernel_function)(size_t n, const float *gradient, const ck_adam_step *step,
                                        size_t first);
ck_adam_kernel_function ck_adam_kernel(void);

#endif
