/*
 * The thread pool behind ck_parallel: one job at a time, its tasks claimed one by one from an atomic
 * ticket, so that a worker that wakes late or not at all delays nobody. Its own file because it is the
 * only one that knows of threads.
 *
 * glibc. A library linked against glibc 2.34 or newer would ask for pthread_create@GLIBC_2.34 and not
 * load on older systems. So pthread_create is bound to the first version its platform had, which
 * every glibc still offers, and weakly: before 2.34 it lives in libpthread, and where the program has
 * not loaded that, the reference is NULL and all work runs on the calling thread. Threads are never
 * joined, detached or ended (those functions moved too): a pool that is told to shrink leaves its
 * surplus workers asleep. Mutexes and condition variables have been in libc under their present
 * versions for two decades. The library is to be linked with -z nodelete: dlclose must not unmap the
 * code that workers sleep in.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 256

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CK_PLAIN_PTHREAD_CREATE 1
#endif
#endif

#if defined(__GLIBC__) && !defined(CK_PLAIN_PTHREAD_CREATE)
extern int ck_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)
    __attribute__((weak));
#if defined(__x86_64__)
__asm__(".symver ck_pthread_create, pthread_create@GLIBC_2.2.5");
#elif defined(__aarch64__)
__asm__(".symver ck_pthread_create, pthread_create@GLIBC_2.17");
#endif
#else
#define ck_pthread_create pthread_create
#endif

typedef void (*task_function)(void *context, size_t index);

/* How often a thread looks for work, or for the end of its job, before it sleeps: some 20 microseconds. */
enum { SPINS = 800 };

typedef struct worker {
  pthread_cond_t wake;
  _Atomic int asleep;
} worker;

static struct {
  /* Job number << 32 | tasks not claimed yet. Whoever takes one off by compare-and-swap knows
     that the job below was open all along, hence that what it read of it is of this job. */
  _Atomic uint64_t ticket;
  _Atomic(task_function) task;
  _Atomic(void *) context;
  _Atomic uint32_t task_count;
  /* The path selected on the owner's thread, so that its tasks use it wherever they run. */
  _Atomic int path;
  /* Its context, for the same reason. */
  _Atomic(ck_allocator *) allocator;
  _Atomic int threads;
  /* Workers of rank below this take part in the job. */
  _Atomic int helpers;
  /* Tasks not finished yet. */
  _Atomic uint32_t pending;

  /* Set while a thread has the pool; what follows is its owner's. */
  _Atomic int owned;
  int started, fork_handler_set;

  pthread_mutex_t mutex;
  pthread_cond_t done;
  _Atomic int owner_asleep;
  worker workers[MAX_THREADS];
} pool = {.mutex = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

/* Threads to use in no context; 0 until it is first asked for. */
static _Atomic int thread_count;

/* Set on a thread while it runs tasks: what it calls from inside one runs on it alone. */
static _Thread_local int in_task;

CK_INLINE void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int default_thread_count(void) {
  const char *wanted = getenv("AE_THREADS");
  if (wanted) {
    char *end;
    long count = strtol(wanted, &end, 10);
    if (end != wanted && *end == 0 && count >= 1)
      return count > MAX_THREADS ? MAX_THREADS : (int)count;
  }
  long count = 0;
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    count = CPU_COUNT(&set);
#endif
  if (count < 1)
    count = sysconf(_SC_NPROCESSORS_ONLN);
  return count < 1 ? 1 : count > MAX_THREADS ? MAX_THREADS : (int)count;
}

int ck_process_thread_count(void) {
  int count = atomic_load_explicit(&thread_count, memory_order_relaxed);
  if (count)
    return count;
  int none = 0;
  atomic_compare_exchange_strong(&thread_count, &none, default_thread_count());
  return atomic_load(&thread_count);
}

int ck_thread_count(void) {
  int own = ck_context_current().threads;
  return own ? own : ck_process_thread_count();
}

void ck_set_thread_count(int count) {
  if (count <= 0)
    count = default_thread_count();
  atomic_store(&thread_count, count > MAX_THREADS ? MAX_THREADS : count);
}

static int claimable(int rank) {
  return (uint32_t)atomic_load(&pool.ticket) != 0 &&
         rank < atomic_load_explicit(&pool.helpers, memory_order_relaxed);
}

/* Claims and runs tasks until there are none; the owner has rank -1. */
static void run_tasks(int rank) {
  uint64_t ticket = atomic_load_explicit(&pool.ticket, memory_order_acquire);
  while ((uint32_t)ticket != 0) {
    task_function task = atomic_load_explicit(&pool.task, memory_order_relaxed);
    void *context = atomic_load_explicit(&pool.context, memory_order_relaxed);
    uint32_t task_count = atomic_load_explicit(&pool.task_count, memory_order_relaxed);
    int path = atomic_load_explicit(&pool.path, memory_order_relaxed);
    ck_context own = {atomic_load_explicit(&pool.allocator, memory_order_relaxed),
                      atomic_load_explicit(&pool.threads, memory_order_relaxed)};
    if (rank >= atomic_load_explicit(&pool.helpers, memory_order_relaxed))
      return;
    if (!atomic_compare_exchange_weak_explicit(&pool.ticket, &ticket, ticket - 1, memory_order_acq_rel,
                                               memory_order_acquire))
      continue;
    if (rank >= 0) {
      ck_path_select(path);
      ck_context_enter(own);
    }
    task(context, task_count - (uint32_t)ticket);
    if (atomic_fetch_sub(&pool.pending, 1) == 1 && atomic_load(&pool.owner_asleep)) {
      pthread_mutex_lock(&pool.mutex);
      pthread_cond_signal(&pool.done);
      pthread_mutex_unlock(&pool.mutex);
    }
    ticket = atomic_load_explicit(&pool.ticket, memory_order_acquire);
  }
}

static void *work(void *argument) {
  int rank = (int)(intptr_t)argument;
  worker *self = &pool.workers[rank];
  in_task = 1;
  /* A thread begins with the environment of the one that started it. */
  ck_float_enter();
  for (;;) {
    run_tasks(rank);
    int spins = SPINS;
    while (spins > 0 && !claimable(rank)) {
      relax();
      spins--;
    }
    if (spins > 0)
      continue;
    pthread_mutex_lock(&pool.mutex);
    atomic_store(&self->asleep, 1);
    while (!claimable(rank))
      pthread_cond_wait(&self->wake, &pool.mutex);
    atomic_store(&self->asleep, 0);
    pthread_mutex_unlock(&pool.mutex);
  }
  return NULL;
}

/* A child process has the forking thread alone: its pool begins anew. */
static void after_fork_in_child(void) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  pool.mutex = mutex;
  pool.done = condition;
  pool.started = 0;
  atomic_store(&pool.ticket, 0);
  atomic_store(&pool.pending, 0);
  atomic_store(&pool.owner_asleep, 0);
  atomic_store(&pool.owned, 0);
}

/* Makes sure that `wanted` workers exist, and returns how many do, at most `wanted`. */
static int start_workers(int wanted) {
#if defined(__GLIBC__) && !defined(CK_PLAIN_PTHREAD_CREATE)
  if (!ck_pthread_create)
    return 0;
#endif
  if (pool.started >= wanted)
    return wanted;
  if (!pool.fork_handler_set) {
    if (pthread_atfork(NULL, NULL, after_fork_in_child) != 0)
      return 0;
    pool.fork_handler_set = 1;
  }
  /* Signals belong to the host's threads, so workers start with all of them blocked. On Linux
     sigprocmask is per thread; pthread_sigmask moved between versions of glibc. */
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  while (pool.started < wanted) {
    worker *next = &pool.workers[pool.started];
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    next->wake = condition;
    atomic_store(&next->asleep, 0);
    pthread_t thread;
    if (ck_pthread_create(&thread, NULL, work, (void *)(intptr_t)pool.started) != 0)
      break;
    pool.started++;
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  return pool.started < wanted ? pool.started : wanted;
}

static void run_alone(size_t task_count, task_function task, void *context) {
  for (size_t i = 0; i < task_count; i++)
    task(context, i);
}

/* Waits for the workers' last tasks, and lets `watch` look at the clock meanwhile. */
static void wait_for_workers(void *context, void (*watch)(void *context)) {
  pthread_mutex_lock(&pool.mutex);
  atomic_store(&pool.owner_asleep, 1);
  while (atomic_load(&pool.pending) != 0) {
    if (!watch) {
      pthread_cond_wait(&pool.done, &pool.mutex);
      continue;
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100 * 1000 * 1000;
    if (until.tv_nsec >= 1000 * 1000 * 1000) {
      until.tv_sec++;
      until.tv_nsec -= 1000 * 1000 * 1000;
    }
    pthread_cond_timedwait(&pool.done, &pool.mutex, &until);
    /* It may take long, and must not keep a worker from its signal. */
    pthread_mutex_unlock(&pool.mutex);
    watch(context);
    pthread_mutex_lock(&pool.mutex);
  }
  atomic_store(&pool.owner_asleep, 0);
  pthread_mutex_unlock(&pool.mutex);
}

void ck_parallel(size_t task_count, task_function task, void *context) {
  ck_parallel_watched(task_count, task, context, NULL);
}

void ck_parallel_watched(size_t task_count, task_function task, void *context,
                         void (*watch)(void *context)) {
  int free_pool = 0, threads = ck_thread_count();
  if (task_count < 2 || task_count > UINT32_MAX || in_task || threads < 2 ||
      !atomic_compare_exchange_strong(&pool.owned, &free_pool, 1)) {
    run_alone(task_count, task, context);
    return;
  }
  size_t wanted = (size_t)(threads < MAX_THREADS ? threads : MAX_THREADS) - 1;
  int helpers = start_workers((int)(wanted < task_count - 1 ? wanted : task_count - 1));
  if (helpers == 0) {
    atomic_store(&pool.owned, 0);
    run_alone(task_count, task, context);
    return;
  }
  uint64_t job = (atomic_load_explicit(&pool.ticket, memory_order_relaxed) >> 32) + 1;
  atomic_store_explicit(&pool.task, task, memory_order_relaxed);
  atomic_store_explicit(&pool.context, context, memory_order_relaxed);
  atomic_store_explicit(&pool.task_count, (uint32_t)task_count, memory_order_relaxed);
  atomic_store_explicit(&pool.path, ck_path_selected(), memory_order_relaxed);
  ck_context own = ck_context_current();
  atomic_store_explicit(&pool.allocator, own.allocator, memory_order_relaxed);
  atomic_store_explicit(&pool.threads, own.threads, memory_order_relaxed);
  atomic_store_explicit(&pool.helpers, helpers, memory_order_relaxed);
  atomic_store_explicit(&pool.pending, (uint32_t)task_count, memory_order_relaxed);
  atomic_store(&pool.ticket, job << 32 | task_count);
  for (int rank = 0; rank < helpers; rank++)
    if (atomic_load(&pool.workers[rank].asleep)) {
      pthread_mutex_lock(&pool.mutex);
      pthread_cond_signal(&pool.workers[rank].wake);
      pthread_mutex_unlock(&pool.mutex);
    }

  in_task = 1;
  run_tasks(-1);
  in_task = 0;

  int spins = SPINS;
  while (spins > 0 && atomic_load_explicit(&pool.pending, memory_order_acquire) != 0) {
    relax();
    spins--;
  }
  if (atomic_load_explicit(&pool.pending, memory_order_acquire) != 0)
    wait_for_workers(context, watch);
  atomic_store_explicit(&pool.owned, 0, memory_order_release);
}
