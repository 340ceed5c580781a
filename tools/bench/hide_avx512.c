/*
 * Makes a processor with AVX-512 or VNNI look like one with AVX2 alone, to whatever asks it: preloaded by bench.sh for
 * PROCESSOR=avx2. Linux lets CPUID fault (arch_prctl, ARCH_SET_CPUID) where the processor can; the handler answers in its
 * place. What libraries choose by their C library's own early checks (memcpy) stays as it is.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* Of <asm/prctl.h>. */
enum { SET_CPUID = 0x1012 };

static void answer(int number, siginfo_t *information, void *context) {
  (void)information;
  ucontext_t *at = context;
  greg_t *registers = at->uc_mcontext.gregs;
  const uint8_t *instruction = (const uint8_t *)(uintptr_t)registers[REG_RIP];
  if (instruction[0] != 0x0F || instruction[1] != 0xA2) {
    /* Another fault: it comes again, and ends the process. */
    signal(number, SIG_DFL);
    return;
  }
  uint32_t leaf = (uint32_t)registers[REG_RAX], part = (uint32_t)registers[REG_RCX], a, b, c, d;
  syscall(SYS_arch_prctl, SET_CPUID, 1);
  __cpuid_count(leaf, part, a, b, c, d);
  syscall(SYS_arch_prctl, SET_CPUID, 0);
  if (leaf == 7 && part == 0) {
    /* AVX-512 F, DQ, IFMA, PF, ER, CD, BW, VL; VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ; 4VNNIW, 4FMAPS, VP2INTERSECT, FP16, AMX. */
    b &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31);
    c &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);
    d &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25);
  } else if (leaf == 7 && part == 1) {
    /* AVX-VNNI and AVX-512 BF16; AVX-VNNI-INT8 and -INT16. */
    a &= ~(1u << 4 | 1u << 5);
    d &= ~(1u << 4 | 1u << 10);
  }
  registers[REG_RAX] = a, registers[REG_RBX] = b, registers[REG_RCX] = c, registers[REG_RDX] = d;
  registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void hide(void) {
  struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
  static const char cannot[] = "bench: PROCESSOR=avx2: this processor or kernel cannot hide AVX-512 (CPUID does not fault)\n";
  if (sigaction(SIGSEGV, &action, NULL) == 0 && syscall(SYS_arch_prctl, SET_CPUID, 0) == 0)
    return;
  if (write(STDERR_FILENO, cannot, sizeof cannot - 1) < 0)
    abort();
  _exit(1);
}
