/*
 * Memory for packed panels, kept between calls. It is its own file because it is the only place in
 * CKernels that allocates work space. In a context with an allocator nothing is kept: pooling is the allocator's job.
 */
#include "internal.h"

#include <stdatomic.h>
#include <stdlib.h>

/* All that is kept, in bytes and in blocks; what would exceed it goes back to the system at once. */
#define MOST_KEPT ((size_t)64 << 20)
#define SLOTS 8

/* A block opens with its size and the allocator that it came from, NULL for malloc; the memory handed out begins a
   cache line later. */
typedef struct block {
  size_t byte_count;
  ck_allocator *allocator;
  char pad[64 - sizeof(size_t) - sizeof(ck_allocator *)];
} block;

static _Atomic(block *) kept[SLOTS];
/* Bytes of the blocks that are kept, and of those about to be. */
static _Atomic size_t kept_bytes;

/* Takes the block of a slot, NULL if there is none. */
static block *take_kept(int slot) {
  if (!atomic_load_explicit(&kept[slot], memory_order_relaxed))
    return NULL;
  block *found = atomic_exchange(&kept[slot], NULL);
  if (found)
    atomic_fetch_sub(&kept_bytes, found->byte_count);
  return found;
}

void *ck_scratch_take(size_t byte_count) {
  if (ck_context_current().allocator)
    return ck_scratch_fresh(byte_count);
  block *smaller = NULL;
  for (int i = 0; i < SLOTS; i++) {
    block *found = take_kept(i);
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
  if (byte_count > PTRDIFF_MAX - 4096)
    return NULL;
  ck_allocator *allocator = ck_context_current().allocator;
  size_t whole = round_up(byte_count, 64) + sizeof(block);
  block *fresh = allocator ? ck_allocator_take(allocator, whole) : aligned_alloc(64, whole);
  if (!fresh)
    return NULL;
  fresh->byte_count = byte_count;
  fresh->allocator = allocator;
  return fresh + 1;
}

void ck_scratch_give(void *memory) {
  if (!memory)
    return;
  block *back = (block *)memory - 1;
  if (back->allocator) {
    ck_allocator_give(back->allocator, back, round_up(back->byte_count, 64) + sizeof(block));
    return;
  }
  if (atomic_fetch_add(&kept_bytes, back->byte_count) + back->byte_count <= MOST_KEPT)
    for (int i = 0; i < SLOTS; i++) {
      block *none = NULL;
      if (atomic_compare_exchange_strong(&kept[i], &none, back))
        return;
    }
  atomic_fetch_sub(&kept_bytes, back->byte_count);
  free(back);
}

void ck_scratch_trim(void) {
  for (int i = 0; i < SLOTS; i++)
    free(take_kept(i));
}
