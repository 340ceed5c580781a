/*
 * The floating-point environment: rounding, denormals, traps. A host may have set any of them, and results that are
 * promised bit for bit need the default. It is its own file because only the control register differs by machine.
 */
#include "internal.h"

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <fenv.h>
#endif

#if defined(__x86_64__)
/*
 * MXCSR after reset: to nearest, denormals kept, exceptions masked. The x87 unit only serves long double, but libc asks
 * its control word for the rounding of what it parses.
 */
enum { DEFAULT = 0x1F80, FLAGS = 0x3F, DEFAULT_X87 = 0x037F };

static uint16_t x87_control(void) {
  uint16_t value;
  __asm__ volatile("fnstcw %0" : "=m"(value));
  return value;
}

static void set_x87_control(uint16_t value) {
  __asm__ volatile("fldcw %0" : : "m"(value));
}

uint64_t ck_float_enter(void) {
  unsigned before = _mm_getcsr();
  uint16_t x87 = x87_control();
  if ((before & ~FLAGS) != DEFAULT)
    _mm_setcsr(DEFAULT | (before & FLAGS));
  if (x87 != DEFAULT_X87)
    set_x87_control(DEFAULT_X87);
  return (uint64_t)x87 << 32 | before;
}

void ck_float_leave(uint64_t before) {
  if (_mm_getcsr() != (unsigned)before)
    _mm_setcsr((unsigned)before);
  if (x87_control() != (uint16_t)(before >> 32))
    set_x87_control((uint16_t)(before >> 32));
}
#elif defined(__aarch64__)
/* Rounding, flushing and traps in the low half, flags in the high one. */
static uint64_t control(void) {
  uint64_t value;
  __asm__ volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}

uint64_t ck_float_enter(void) {
  uint64_t before = control(), flags;
  __asm__ volatile("mrs %0, fpsr" : "=r"(flags));
  if (before)
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
  return flags << 32 | (before & UINT32_MAX);
}

void ck_float_leave(uint64_t before) {
  if (control() != (before & UINT32_MAX))
    __asm__ volatile("msr fpcr, %0" : : "r"(before & UINT32_MAX));
  __asm__ volatile("msr fpsr, %0" : : "r"(before >> 32));
}
#else
uint64_t ck_float_enter(void) {
  int before = fegetround();
  fesetround(FE_TONEAREST);
  return (uint64_t)before;
}

void ck_float_leave(uint64_t before) {
  fesetround((int)before);
}
#endif
