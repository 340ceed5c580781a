/* Memory, the thread's last error, the environment and the clock: see CSystem.h. */
#include "CSystem.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void *cs_allocate(size_t byte_count) {
  void *memory = NULL;
  if (byte_count == 0) byte_count = 1;
  if (byte_count > PTRDIFF_MAX || posix_memalign(&memory, 64, byte_count) != 0) return NULL;
  memset(memory, 0, byte_count);
  return memory;
}

void cs_free(void *memory) { free(memory); }

static _Thread_local char last_error[1024];

uintptr_t cs_thread(void) { return (uintptr_t)last_error; }

void cs_error_set(const char *text, size_t byte_count) {
  if (byte_count > sizeof last_error - 1) {
    byte_count = sizeof last_error - 1;
    /* Never cut inside a UTF-8 sequence. */
    while (byte_count > 0 && ((unsigned char)text[byte_count] & 0xC0) == 0x80) byte_count--;
  }
  if (byte_count > 0) memcpy(last_error, text, byte_count);
  last_error[byte_count] = 0;
}

const char *cs_error_get(void) { return last_error; }

static _Thread_local int last_errno;

void cs_errno_set(int error) { last_errno = error; }

int cs_errno_get(void) { return last_errno; }

const char *cs_environment(const char *name) { return getenv(name); }

double cs_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
