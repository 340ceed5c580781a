/*
 * Memory for packed panels, kept between calls. It is its own file because it is the only place in
 * CKernels that allocates.
 */
#include "internal.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Blocks larger than this go back to the system at once. */
#define LARGEST_KEPT ((size_t)64 << 20)
#define SLOTS 8

/* A block opens with its size; the memory handed out begins a cache line later. */
typedef struct block {
  size_t byte_count;
  char pad[64 - sizeof(size_t)];
} block;

static _Atomic(block *) kept[SLOTS];

void *ck_scratch_take(size_t byte_count) {
  block *smaller = NULL;
  for (int i = 0; i < SLOTS; i++) {
    if (!atomic_load_explicit(&kept[i], memory_order_relaxed))
      continue;
    block *found = atomic_exchange(&kept[i], NULL);
    if (!found)
      continue;
    if (found->byte_count >= byte_count) {
      free(smaller);
      return found + 1;
    }
    /* The largest block serves most calls, so a smaller one gives way to it. */
    free(smaller);
    smaller = found;
  }
  free(smaller);
  return ck_scratch_fresh(byte_count);
}

void *ck_scratch_fresh(size_t byte_count) {
  void *memory = NULL;
  if (byte_count > PTRDIFF_MAX - 4096)
    return NULL;
  if (posix_memalign(&memory, 64, byte_count + sizeof(block)) != 0)
    return NULL;
  block *fresh = memory;
  fresh->byte_count = byte_count;
  return fresh + 1;
}

void ck_scratch_give(void *memory) {
  if (!memory)
    return;
  block *back = (block *)memory - 1;
  if (back->byte_count <= LARGEST_KEPT)
    for (int i = 0; i < SLOTS; i++) {
      block *none = NULL;
      if (atomic_compare_exchange_strong(&kept[i], &none, back))
        return;
    }
  free(back);
}
