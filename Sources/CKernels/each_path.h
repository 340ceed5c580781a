/*
 * Includes the file named by CK_TEMPLATE once for each instruction set of this machine's family, with
 *   CK_PATH_SUFFIX   the path's name, which FN() appends to every function's,
 *   VL               floats in one vector register,
 *   CK_REGISTERS     vector registers there are.
 * Functions of a path beyond the baseline carry its target attribute, so the rest of the library stays baseline.
 * CK_WITH_BYTES asks for the paths, too, that differ from others in products of bytes alone: AVX-VNNI and Arm's dot
 * products. With CK_VNNI_AS_AVX512, AVX-VNNI is spelled as AVX-512 spells it, so that machines that have only that run
 * its tests.
 */
#define CK_PATH_SUFFIX generic
#define CK_IS_GENERIC 1
#define VL 4
#define CK_REGISTERS 16
#include CK_TEMPLATE
#undef CK_PATH_SUFFIX
#undef CK_IS_GENERIC
#undef VL
#undef CK_REGISTERS

#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define CK_PATH_SUFFIX avx2
#define CK_IS_AVX2 1
#define VL 8
#define CK_REGISTERS 16
#include CK_TEMPLATE
#undef CK_PATH_SUFFIX
#undef VL
#undef CK_REGISTERS
#pragma clang attribute pop

#if defined(CK_WITH_BYTES)
#if defined(CK_VNNI_AS_AVX512)
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512vl,avx512vnni"))), apply_to = function)
#else
#pragma clang attribute push(__attribute__((target("avx2,fma,avxvnni"))), apply_to = function)
#endif
#define CK_PATH_SUFFIX avxvnni
#define CK_IS_AVXVNNI 1
#define VL 8
#define CK_REGISTERS 16
#include CK_TEMPLATE
#undef CK_PATH_SUFFIX
#undef CK_IS_AVXVNNI
#undef VL
#undef CK_REGISTERS
#pragma clang attribute pop
#endif
#undef CK_IS_AVX2

#pragma clang attribute push(                                                                                \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"))), apply_to = function)
#define CK_PATH_SUFFIX avx512
#define CK_IS_AVX512 1
#define VL 16
#define CK_REGISTERS 32
#include CK_TEMPLATE
#undef CK_PATH_SUFFIX
#undef CK_IS_AVX512
#undef VL
#undef CK_REGISTERS
#pragma clang attribute pop

#elif defined(__aarch64__)

#define CK_PATH_SUFFIX neon
#define CK_IS_NEON 1
#define VL 4
#define CK_REGISTERS 32
#include CK_TEMPLATE
#undef CK_PATH_SUFFIX
#undef CK_IS_NEON
#undef VL
#undef CK_REGISTERS

#if defined(CK_WITH_BYTES)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#define CK_PATH_SUFFIX dotprod
#define CK_IS_DOTPROD 1
#define VL 4
#define CK_REGISTERS 32
#include CK_TEMPLATE
#undef CK_PATH_SUFFIX
#undef CK_IS_DOTPROD
#undef VL
#undef CK_REGISTERS
#pragma clang attribute pop
#endif

#endif

#undef CK_TEMPLATE
#undef CK_WITH_BYTES
