/*
 * Which instruction sets this machine and its operating system have, and which one is in use. It asks
 * the processor itself instead of a compiler builtin, so that no runtime library comes along.
 */
#include "internal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#ifndef HWCAP_ASIMDDP
#define HWCAP_ASIMDDP (1 << 20)
#endif
#endif

#if defined(__x86_64__)
#include <cpuid.h>

/* Which register states the operating system saves on a thread switch. */
static uint64_t saved_states(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

static int detect(int path) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d))
    return 0;
  const unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28;
  if ((c & (fma | osxsave | avx)) != (fma | osxsave | avx))
    return 0;
  uint64_t states = saved_states();
  if ((states & 0x06) != 0x06)
    return 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
    return 0;
  const unsigned avx2 = 1u << 5;
  if (!(b & avx2))
    return 0;
  if (path == CK_PATH_AVX2)
    return 1;
#ifndef CK_VNNI_AS_AVX512
  if (path == CK_PATH_AVXVNNI) {
    const unsigned vnni = 1u << 4;
    return a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & vnni);
  }
#endif
  const unsigned f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31, vnni = 1u << 11;
  return (states & 0xE6) == 0xE6 && (b & (f | dq | bw | vl)) == (f | dq | bw | vl) && (c & vnni);
}
#elif defined(__aarch64__)
/* Products of bytes, four an instruction: optional up to Arm v8.3. */
static int detect_dotprod(void) {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
  return 0;
#endif
}
#endif

static const char *const names[CK_PATH_COUNT] = {"generic", "avx2", "avxvnni", "avx512", "neon", "dotprod"};

/* One more than the best path or the one that AE_CPU names; 0 until it is first asked for. */
static _Atomic int chosen;

/* One more than the path that this thread was told to use; 0 if it was told nothing. */
static _Thread_local int selected;

const char *ck_path_name(int path) {
  return path >= 0 && path < CK_PATH_COUNT ? names[path] : "unknown";
}

int ck_path_available(int path) {
  switch (path) {
  case CK_PATH_GENERIC:
    return 1;
#if defined(__x86_64__)
  case CK_PATH_AVX2:
  case CK_PATH_AVXVNNI:
  case CK_PATH_AVX512:
    return detect(path);
#elif defined(__aarch64__)
  case CK_PATH_NEON:
    return 1;
  case CK_PATH_DOTPROD:
    return detect_dotprod();
#endif
  default:
    return 0;
  }
}

/* Once: not worth the bytes that unrolling it would take. */
__attribute__((cold, noinline)) static int choose(void) {
  int best = CK_PATH_GENERIC;
  for (int candidate = 0; candidate < CK_PATH_COUNT; candidate++)
    if (ck_path_available(candidate))
      best = candidate;
  const char *wanted = getenv("AE_CPU");
  for (int candidate = 0; wanted && candidate < CK_PATH_COUNT; candidate++)
    if (strcmp(wanted, names[candidate]) == 0 && ck_path_available(candidate))
      return candidate;
  return best;
}

int ck_path(void) {
  if (selected)
    return selected - 1;
  int path = atomic_load_explicit(&chosen, memory_order_relaxed);
  if (path)
    return path - 1;
  /* Threads that race here come to the same answer. */
  path = choose();
  atomic_store_explicit(&chosen, path + 1, memory_order_relaxed);
  return path;
}

int ck_path_select(int path) {
  if (path >= 0 && !ck_path_available(path))
    return 0;
  selected = path < 0 ? 0 : path + 1;
  return 1;
}

int ck_path_selected(void) {
  return selected - 1;
}
