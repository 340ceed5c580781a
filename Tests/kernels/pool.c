/*
 * The kernels as a process sees them: the pool after fork, under concurrent callers, and at rest, and
 * the products' bits across threads. It is a program of its own because Swift cannot fork, and because
 * it can be built with -fsanitize=thread:
 *
 *   clang -O2 -ISources/CKernels/include Tests/kernels/pool.c Sources/CKernels/?*.c -lm -lpthread
 *
 * (there with TSAN_OPTIONS=die_after_fork=0, since that tool dislikes threads after fork as such).
 *
 * One line a check, "ok" or "NOT OK"; exits 1 if one failed.
 */
#define _GNU_SOURCE
#include "CKernels.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int failures;

/* Says how a check that may run many times came out, once it is over. */
static void report(int failed, const char *what) {
  printf("%s %s\n", failed ? "NOT OK  " : "ok      ", what);
  fflush(stdout);
  failures += failed != 0;
}

static _Atomic size_t total;

static void add(void *context, size_t index) {
  (void)context;
  atomic_fetch_add(&total, index + 1);
}

static void add_nested(void *context, size_t index) {
  (void)index;
  ck_parallel(10, add, context);
}

/* 1 + 2 + ... + count, by tasks. */
static int sums_up(size_t count) {
  atomic_store(&total, 0);
  ck_parallel(count, add, NULL);
  return atomic_load(&total) == count * (count + 1) / 2;
}

static double processor_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void rest(long milliseconds) {
  struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static void test_fork(void) {
  int failed = !sums_up(1000), failed_in_parent = 0;
  for (int generation = 0; generation < 20; generation++) {
    pid_t child = fork();
    if (child == 0) {
      int right = sums_up(1000) && sums_up(3);
      pid_t grandchild = fork();
      if (grandchild == 0)
        _exit(sums_up(500) ? 0 : 1);
      int status = 1;
      waitpid(grandchild, &status, 0);
      _exit(right && status == 0 ? 0 : 1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    failed += status != 0;
    failed_in_parent += !sums_up(1000);
  }
  report(failed, "loops run in children and grandchildren of a process whose pool is at work");
  report(failed_in_parent, "and in the parent after fork");
}

static void test_rest(void) {
  int failed = !sums_up(100);
  rest(20);
  double before = processor_seconds();
  rest(300);
  report(processor_seconds() - before > 0.02, "a pool at rest uses no processor time");
  report(failed + !sums_up(100), "loops run before and after rest");
}

static void *call_loops(void *argument) {
  _Atomic int *wrong = argument;
  for (int i = 0; i < 300; i++) {
    float a[64], b[64], c[64];
    for (int j = 0; j < 64; j++)
      a[j] = (float)j, b[j] = 1, c[j] = 0;
    ck_sgemm(0, 0, 8, 8, 8, a, 8, b, 8, c, 8, NULL, CK_IDENTITY, 0);
    if (c[0] != 28)
      atomic_fetch_add(wrong, 1);
    ck_parallel(7, add_nested, NULL);
  }
  return NULL;
}

static void test_callers(void) {
  pthread_t threads[5];
  _Atomic int wrong = 0;
  atomic_store(&total, 0);
  for (int i = 0; i < 5; i++)
    pthread_create(&threads[i], NULL, call_loops, &wrong);
  for (int i = 0; i < 5; i++) {
    ck_set_thread_count(1 + i);
    pthread_join(threads[i], NULL);
  }
  report(wrong, "products of concurrent callers are right");
  report(atomic_load(&total) != (size_t)5 * 300 * 7 * 55, "nested loops of concurrent callers are complete");
}

static _Atomic int caller_tasks, watched, let_go;
static pthread_t caller;

/* The caller ends its task at once, everybody else's lasts until the watch has been heard three times. */
static void dawdle(void *context, size_t index) {
  (void)context, (void)index;
  if (pthread_equal(pthread_self(), caller)) {
    atomic_fetch_add(&caller_tasks, 1);
    while (!atomic_load(&let_go))
      rest(1); /* Until a worker has a task, too: else there is nobody to wait for. */
    return;
  }
  atomic_store(&let_go, 1);
  for (int i = 0; i < 5000 && atomic_load(&watched) < 3; i++)
    rest(1);
}

static void watch(void *context) {
  atomic_fetch_add((_Atomic int *)context, 1);
  if (!pthread_equal(pthread_self(), caller))
    atomic_store(&watched, 1000);
}

static void test_watch(void) {
  caller = pthread_self();
  ck_parallel_watched(2, dawdle, (void *)&watched, watch);
  int heard = atomic_load(&watched);
  report(heard < 3 || heard > 20, "the caller watches on its own thread while it waits for workers");
}

static void test_bits(void) {
  enum { M = 130, N = 300, K = 200 };
  float *a = malloc(sizeof(float) * M * K), *b = malloc(sizeof(float) * N * K);
  float *one = malloc(sizeof(float) * M * N), *more = malloc(sizeof(float) * M * N);
  for (unsigned i = 0; i < M * K; i++)
    a[i] = (float)(i * 7919 % 1000) * 1e-3f - 0.5f;
  for (unsigned i = 0; i < N * K; i++)
    b[i] = (float)(i * 104729 % 1000) * 1e-3f - 0.5f;
  for (int path = 0; path < CK_PATH_COUNT; path++) {
    if (!ck_path_select(path))
      continue;
    int failed = 0;
    ck_set_thread_count(1);
    ck_sgemm(0, 1, M, N, K, a, K, b, K, one, N, NULL, CK_ELU, 0);
    for (int threads = 2; threads <= 4; threads++) {
      ck_set_thread_count(threads);
      for (int repeat = 0; repeat < 20; repeat++) {
        ck_sgemm(0, 1, M, N, K, a, K, b, K, more, N, NULL, CK_ELU, 0);
        failed += memcmp(one, more, sizeof(float) * M * N) != 0;
      }
    }
    char what[80];
    snprintf(what, sizeof what, "a product's bits are those of one thread on %s", ck_path_name(path));
    report(failed, what);
  }
  ck_path_select(-1);
  free(a), free(b), free(one), free(more);
}

/* ---- Contexts ---- */

/* A host's memory: how much of it is out, the most there was, how many threads came for it, and when it says no. */
typedef struct host {
  _Atomic long live, most, calls, refused_from, faults;
  _Atomic uintptr_t threads[64];
} host;

/* What marks a thread. */
static _Thread_local char own_mark;

static void note_thread(host *h) {
  for (int i = 0; i < 64; i++) {
    uintptr_t none = 0, self = (uintptr_t)&own_mark;
    if (atomic_load(&h->threads[i]) == self || atomic_compare_exchange_strong(&h->threads[i], &none, self) || none == self)
      return;
  }
}

static int thread_number(host *h) {
  int count = 0;
  while (count < 64 && atomic_load(&h->threads[count]))
    count++;
  return count;
}

static void *host_allocate(void *context, size_t byte_count, size_t alignment) {
  host *h = context;
  note_thread(h);
  if (alignment != 64 || byte_count % 64 != 0 || byte_count == 0)
    atomic_fetch_add(&h->faults, 1);
  long call = atomic_fetch_add(&h->calls, 1), from = atomic_load(&h->refused_from);
  char *memory = from >= 0 && call >= from ? NULL : aligned_alloc(64, byte_count + 64);
  if (!memory)
    return NULL;
  /* What comes back must be what went, with its size. */
  *(size_t *)(void *)memory = byte_count;
  memset(memory + 64, 0xAB, byte_count);
  long now = atomic_fetch_add(&h->live, (long)byte_count) + (long)byte_count, most = atomic_load(&h->most);
  while (now > most && !atomic_compare_exchange_weak(&h->most, &most, now)) {
  }
  return memory + 64;
}

static void host_free(void *context, void *memory, size_t byte_count) {
  host *h = context;
  note_thread(h);
  char *whole = (char *)memory - 64;
  if (*(size_t *)(void *)whole != byte_count)
    atomic_fetch_add(&h->faults, 1);
  atomic_fetch_sub(&h->live, (long)byte_count);
  free(whole);
}

static void *off_by_a_line(void *context, size_t byte_count, size_t alignment) {
  char *memory = host_allocate(context, byte_count, alignment);
  return memory ? memory + 16 : NULL;
}

static void free_off_by_a_line(void *context, void *memory, size_t byte_count) {
  host_free(context, (char *)memory - 16, byte_count);
}

static void take_in_task(void *context, size_t index) {
  host *h = context;
  ck_context here = ck_context_current();
  /* Long enough that every thread that may come does. */
  void *memory = ck_allocator_take(here.allocator, 100 + index);
  rest(1);
  if (ck_thread_count() != here.threads)
    atomic_fetch_add(&h->faults, 1);
  ck_allocator_give(here.allocator, memory, 100 + index);
}

static void nest(void *context, size_t index) {
  (void)index;
  ck_parallel(5, take_in_task, context);
}

static void fill(float *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    x[i] = (float)(i * 7919 % 1000) * 1e-3f;
}

/* Works in a context of so many threads until it has been done so often, and says what went wrong. */
typedef struct worker_in_context {
  int threads, times, failed;
} worker_in_context;

static void *work_in_context(void *argument) {
  worker_in_context *w = argument;
  static float a[96 * 96], b[96 * 96];
  float *c = malloc(sizeof a);
  host h;
  memset(&h, 0, sizeof h);
  atomic_store(&h.refused_from, -1);
  ck_allocator *allocator = ck_allocator_make(host_allocate, host_free, &h);
  ck_context outer = ck_context_enter((ck_context){allocator, w->threads});
  for (int i = 0; i < w->times; i++) {
    w->failed += ck_sgemm(0, 0, 96, 96, 96, a, 96, b, 96, c, 96, NULL, CK_IDENTITY, 0) != 0;
    nest(&h, 0);
    ck_parallel(4, nest, &h);
  }
  ck_context_enter(outer);
  ck_allocator_release(allocator);
  w->failed += atomic_load(&h.faults) != 0 || atomic_load(&h.live) != 0 || thread_number(&h) > w->threads;
  free(c);
  return NULL;
}

static void test_contexts(void) {
  enum { N = 96 };
  static float a[N * N], b[N * N], c[N * N];
  static host h;
  fill(a, N * N), fill(b, N * N);
  atomic_store(&h.refused_from, -1);
  ck_allocator *allocator = ck_allocator_make(host_allocate, host_free, &h);
  ck_set_thread_count(7);
  sums_up(1000); /* Seven threads are there now. */
  for (int threads = 1; threads <= 3; threads++) {
    memset(&h.threads, 0, sizeof h.threads);
    ck_context_enter((ck_context){allocator, threads});
    int failed = ck_thread_count() != threads || ck_process_thread_count() != 7;
    ck_parallel(60, take_in_task, &h);
    ck_parallel(6, nest, &h);
    ck_context_enter((ck_context){NULL, 0});
    char what[80];
    snprintf(what, sizeof what, "loops of a context of %d run on as many threads and nest on them", threads);
    report(failed || thread_number(&h) != threads || atomic_load(&h.faults), what);
  }
  ck_set_thread_count(1);
  memset(&h.threads, 0, sizeof h.threads);
  ck_context_enter((ck_context){allocator, 3});
  ck_parallel(60, take_in_task, &h);
  report(thread_number(&h) != 3, "a context may have more threads than the process");

  long before = atomic_load(&h.calls);
  int failed = ck_sgemm(0, 0, N, N, N, a, N, b, N, c, N, NULL, CK_IDENTITY, 0) != 0;
  report(failed || atomic_load(&h.calls) == before || atomic_load(&h.live) != 0, "products take their panels from it, and give them back");
  atomic_store(&h.refused_from, 0);
  failed = ck_sgemm(0, 0, N, N, N, a, N, b, N, c, N, NULL, CK_IDENTITY, 0) != -1;
  report(failed || atomic_load(&h.live) != 0, "what it refuses is refused");
  atomic_store(&h.refused_from, -1);

  void *piece = ck_allocator_take(allocator, 1000);
  ck_context_enter((ck_context){NULL, 0});
  ck_allocator_release(allocator);
  failed = piece == NULL || atomic_load(&h.live) != 1024;
  ck_allocator_give(allocator, piece, 1000);
  report(failed || atomic_load(&h.live) != 0 || atomic_load(&h.faults), "memory outlives the context it was taken in, and goes back");

  allocator = ck_allocator_make(off_by_a_line, free_off_by_a_line, &h);
  piece = ck_allocator_take(allocator, 1000);
  report(piece != NULL || atomic_load(&h.live) != 0, "memory off its boundary is refused, and given back");
  ck_allocator_release(allocator);

  worker_in_context workers[3] = {{1, 30, 0}, {2, 30, 0}, {4, 30, 0}};
  pthread_t threads[3];
  for (int i = 0; i < 3; i++)
    pthread_create(&threads[i], NULL, work_in_context, &workers[i]);
  failed = 0;
  for (int i = 0; i < 3; i++) {
    pthread_join(threads[i], NULL);
    failed += workers[i].failed;
  }
  report(failed, "threads with contexts of their own each keep to theirs");
}

int main(void) {
  ck_set_thread_count(4);
  test_fork();
  test_rest();
  test_callers();
  ck_set_thread_count(2);
  test_watch();
  ck_set_thread_count(4);
  test_bits();
  test_contexts();
  return failures != 0;
}
