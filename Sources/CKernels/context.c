/*
 * Contexts: how many threads a call runs on, and whose memory it takes. Its own file because the pool, the scratch
 * memory and the engine's buffers all ask it, and because nothing else calls a host's allocator.
 */
#include "internal.h"

#include <stdatomic.h>
#include <stdlib.h>

struct ck_allocator {
  /* Its makers, contexts among them, and every piece of memory that was taken from it. */
  _Atomic size_t references;
  ck_allocate_function allocate;
  ck_free_function free;
  void *host;
};

static _Thread_local ck_context current;

ck_context ck_context_current(void) { return current; }

ck_context ck_context_enter(ck_context next) {
  ck_context before = current;
  current = next;
  return before;
}

ck_allocator *ck_allocator_make(ck_allocate_function allocate, ck_free_function release, void *host) {
  ck_allocator *made = malloc(sizeof *made);
  if (!made)
    return NULL;
  atomic_init(&made->references, 1);
  made->allocate = allocate;
  made->free = release;
  made->host = host;
  return made;
}

ck_allocator *ck_allocator_retain(ck_allocator *allocator) {
  if (allocator)
    atomic_fetch_add_explicit(&allocator->references, 1, memory_order_relaxed);
  return allocator;
}

void ck_allocator_release(ck_allocator *allocator) {
  if (allocator && atomic_fetch_sub_explicit(&allocator->references, 1, memory_order_acq_rel) == 1)
    free(allocator);
}

/* The host is asked for whole cache lines, and never for nothing. */
static size_t whole_lines(size_t byte_count) {
  return byte_count == 0 ? CK_ALIGNMENT : round_up(byte_count, CK_ALIGNMENT);
}

/* Whatever the host does to the floating-point environment does not reach the engine, nor the other way round. */
static void call_free(ck_allocator *allocator, void *memory, size_t byte_count) {
  uint64_t before = ck_float_enter();
  allocator->free(allocator->host, memory, byte_count);
  ck_float_leave(before);
}

void *ck_allocator_take(ck_allocator *allocator, size_t byte_count) {
  if (byte_count > PTRDIFF_MAX - CK_ALIGNMENT)
    return NULL;
  byte_count = whole_lines(byte_count);
  uint64_t before = ck_float_enter();
  void *memory = allocator->allocate(allocator->host, byte_count, CK_ALIGNMENT);
  ck_float_leave(before);
  if (memory && (uintptr_t)memory % CK_ALIGNMENT != 0) {
    call_free(allocator, memory, byte_count);
    return NULL;
  }
  if (memory)
    ck_allocator_retain(allocator);
  return memory;
}

void ck_allocator_give(ck_allocator *allocator, void *memory, size_t byte_count) {
  call_free(allocator, memory, whole_lines(byte_count));
  ck_allocator_release(allocator);
}
