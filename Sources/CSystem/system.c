/* Memory, the thread's last error, the environment and the clock: see CSystem.h. */
#include "CSystem.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void *cs_allocate(size_t byte_count) {
  if (byte_count == 0) byte_count = 1;
  /* A call that is short of memory is to end: see reserve.c. */
  if (byte_count > PTRDIFF_MAX - 64 || cs_call_is_short()) return NULL;
  void *memory = aligned_alloc(64, (byte_count + 63) / 64 * 64);
  if (memory) memset(memory, 0, byte_count);
  return memory;
}

void cs_free(void *memory) { free(memory); }

/*
 * The last error. In a library that is loaded later than the program, a thread's first use of a variable of its
 * own takes memory for all of them, and ends the process if there is none. So libae.so is compiled to place
 * them where every thread has them from its start (-ftls-model=initial-exec), which is for a few words alone,
 * and longer things are allocated. Freeing them when a thread ends takes a key, whose functions are bound as
 * the pool's (CKernels/pool.c tells why) to the first version that their platform had, and weakly: without
 * them the process has one thread.
 */
enum { LAST_ERROR_SIZE = 1024 };

#ifdef AE_EMBEDDED

#include <pthread.h>

extern int cs_key_create(pthread_key_t *, void (*)(void *)) __attribute__((weak));
extern int cs_key_set(pthread_key_t, const void *) __attribute__((weak));
#if defined(__x86_64__)
__asm__(".symver cs_key_create, pthread_key_create@GLIBC_2.2.5");
__asm__(".symver cs_key_set, pthread_setspecific@GLIBC_2.2.5");
#elif defined(__aarch64__)
__asm__(".symver cs_key_create, pthread_key_create@GLIBC_2.17");
__asm__(".symver cs_key_set, pthread_setspecific@GLIBC_2.17");
#endif

static _Thread_local char *own_error;
/* What the thread's last error is if there was no memory for its words; NULL if there was, or no error. */
static _Thread_local const char *wordless_error;

static pthread_mutex_t key_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t key;
static int has_key;

static void forget_error(void *memory) {
  own_error = NULL;
  free(memory);
}

static char *last_error(void) {
  if (own_error) return own_error;
  char *fresh = malloc(LAST_ERROR_SIZE);
  if (fresh && cs_key_create && cs_key_set) {
    pthread_mutex_lock(&key_mutex);
    if (!has_key) has_key = cs_key_create(&key, forget_error) == 0;
    int is_kept = has_key && cs_key_set(key, fresh) == 0;
    pthread_mutex_unlock(&key_mutex);
    if (!is_kept) {
      free(fresh);
      fresh = NULL;
    }
  }
  own_error = fresh;
  return fresh;
}

const char *cs_error_get(void) { return wordless_error ? wordless_error : own_error ? own_error : ""; }

#else

static _Thread_local char own_error[LAST_ERROR_SIZE];
static _Thread_local const char *wordless_error;

static char *last_error(void) { return own_error; }

const char *cs_error_get(void) { return wordless_error ? wordless_error : own_error; }

#endif

uintptr_t cs_thread(void) { return (uintptr_t)&own_error; }

void cs_error_set(const char *text, size_t byte_count) {
  char *words = last_error();
  wordless_error = words ? NULL : "out of memory, for the words of an error as well";
  if (!words) return;
  if (byte_count > LAST_ERROR_SIZE - 1) {
    byte_count = LAST_ERROR_SIZE - 1;
    /* Never cut inside a UTF-8 sequence. */
    while (byte_count > 0 && ((unsigned char)text[byte_count] & 0xC0) == 0x80) byte_count--;
  }
  if (byte_count > 0) memcpy(words, text, byte_count);
  words[byte_count] = 0;
}

void cs_error_set_constant(const char *text) { wordless_error = text; }

static _Thread_local int last_errno;

void cs_errno_set(int error) { last_errno = error; }

int cs_errno_get(void) { return last_errno; }

const char *cs_environment(const char *name) { return getenv(name); }

double cs_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
