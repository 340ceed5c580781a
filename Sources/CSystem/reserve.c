/*
 * What keeps small objects coming when memory is refused: see CSystem.h, "Calls". Its own file because it is
 * the only one that stands between embedded Swift's runtime and the system's allocator.
 *
 * The runtime ends the process when it is refused the memory of an object, and no code can prevent it. So
 * tools/build-library.sh lets the linker lead the runtime's posix_memalign and free here (--wrap). As long as
 * the system has memory, they are the system's. When it refuses, the object comes from the reserve of the call
 * that the thread is in, a run of memory that each call makes sure of when it begins; from then on the call is
 * short of memory, cs_allocate refuses it all, and the call ends.
 */
#include "CSystem.h"

#ifdef AE_EMBEDDED

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Many times what the objects of any call take between two Buffers: Tests/memory prints what they take in all. */
#define RESERVE_SIZE ((size_t)1 << 20)
/* Calls that can be under way at the same time. */
#define SLOTS 1024
/* All pieces of a reserve are multiples of this, and lie on its multiples. */
#define GRAIN ((size_t)64)

/* A free piece; `next` is the one that follows in memory. */
typedef struct piece {
  size_t size;
  struct piece *next;
} piece;

/* One reserve, on a cache line of its own: calls of many threads take their own ones. */
typedef struct slot {
  /* Its memory, as long as it has any, of RESERVE_SIZE bytes: untouched, and so no page of it is used, until
     an object is placed in it. Objects begin GRAIN bytes into their piece, whose first word is its size. */
  _Alignas(64) _Atomic(char *) memory;
  _Atomic int taken;
  _Atomic int is_short;
  /* Objects in it. They may outlive the call, as what the library makes once for all does; the reserve is
     whole, and may serve another call, when there are none. */
  _Atomic size_t live;
  pthread_mutex_t mutex;
  piece *first;
} slot;

static slot slots[SLOTS];
/* Slots from this one on were never used. */
static _Atomic int slot_end;
/* Objects in all reserves: as long as there are none, freeing is the system's alone. */
static _Atomic size_t live_in_all;

/* The reserve of the call that the thread is in or works for, or NULL; and the one that it had last. */
static _Thread_local slot *current;
static _Thread_local int last;
/* Where a thread that works for calls of other threads has its objects, from its first work on: what 256 of them
   make at the same time is too much for one reserve. */
static _Thread_local slot *own;

int __real_posix_memalign(void **memory, size_t alignment, size_t size);
void __real_free(void *memory);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
void __wrap_free(void *memory);

/* ---- Pieces ---- */

static void *take(slot *from, size_t alignment, size_t size) {
  char *memory = atomic_load(&from->memory);
  void *found = NULL;
  if (alignment > GRAIN || size > RESERVE_SIZE - 2 * GRAIN) return NULL;
  size = (size + 2 * GRAIN - 1) / GRAIN * GRAIN;
  pthread_mutex_lock(&from->mutex);
  if (atomic_load(&from->live) == 0) {
    from->first = (piece *)memory;
    from->first->size = RESERVE_SIZE;
    from->first->next = NULL;
  }
  for (piece **link = &from->first; *link; link = &(*link)->next) {
    piece *here = *link;
    if (here->size < size) continue;
    if (here->size > size) {
      piece *rest = (piece *)((char *)here + size);
      rest->size = here->size - size;
      rest->next = here->next;
      *link = rest;
    } else {
      *link = here->next;
    }
    here->size = size;
    found = (char *)here + GRAIN;
    atomic_fetch_add(&from->live, 1);
    atomic_fetch_add(&live_in_all, 1);
    break;
  }
  pthread_mutex_unlock(&from->mutex);
  return found;
}

static void give(slot *to, void *memory) {
  piece *back = (piece *)((char *)memory - GRAIN);
  pthread_mutex_lock(&to->mutex);
  piece **link = &to->first;
  piece *before = NULL;
  while (*link && *link < back) {
    before = *link;
    link = &before->next;
  }
  back->next = *link;
  *link = back;
  if (back->next && (char *)back + back->size == (char *)back->next) {
    back->size += back->next->size;
    back->next = back->next->next;
  }
  if (before && (char *)before + before->size == (char *)back) {
    before->size += back->size;
    before->next = back->next;
  }
  atomic_fetch_sub(&to->live, 1);
  atomic_fetch_sub(&live_in_all, 1);
  pthread_mutex_unlock(&to->mutex);
}

/* ---- What the runtime calls ---- */

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size) {
  int status = __real_posix_memalign(memory, alignment, size);
  if (status == 0 || !current) return status;
  atomic_store(&current->is_short, 1);
  void *instead = own ? take(own, alignment, size) : NULL;
  if (!instead) instead = take(current, alignment, size);
  if (!instead) return status;
  *memory = instead;
  return 0;
}

void __wrap_free(void *memory) {
  if (atomic_load_explicit(&live_in_all, memory_order_relaxed) != 0) {
    int end = atomic_load(&slot_end);
    for (int i = 0; i < end; i++) {
      char *start = atomic_load_explicit(&slots[i].memory, memory_order_relaxed);
      if (start && (uintptr_t)memory - (uintptr_t)start < RESERVE_SIZE) {
        give(&slots[i], memory);
        return;
      }
    }
  }
  __real_free(memory);
}

/* ---- Calls ---- */

/* Takes a slot whose reserve is whole. */
static int take_slot(int index, int may_allocate) {
  slot *wanted = &slots[index];
  if (atomic_load_explicit(&wanted->taken, memory_order_relaxed) || atomic_exchange(&wanted->taken, 1)) return 0;
  if (!atomic_load_explicit(&wanted->memory, memory_order_relaxed) && may_allocate) {
    void *memory = NULL;
    if (__real_posix_memalign(&memory, GRAIN, RESERVE_SIZE) == 0) {
      pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
      wanted->mutex = mutex;
      atomic_store(&wanted->memory, memory);
      int end = atomic_load(&slot_end);
      while (end <= index && !atomic_compare_exchange_weak(&slot_end, &end, index + 1)) {
      }
    }
  }
  if (atomic_load_explicit(&wanted->memory, memory_order_relaxed) && atomic_load(&wanted->live) == 0) return 1;
  atomic_store_explicit(&wanted->taken, 0, memory_order_release);
  return 0;
}

/* Takes a slot and returns its index, or -1. */
static int take_any(void) {
  int found = take_slot(last, 0) ? last : -1;
  int end = atomic_load(&slot_end);
  for (int i = 0; found < 0 && i < end; i++)
    if (take_slot(i, 0)) found = i;
  for (int i = 0; found < 0 && i < SLOTS; i++) {
    if (take_slot(i, 1)) found = i;
    /* Of a slot that was free and stays without memory, memory was refused. */
    else if (!atomic_load(&slots[i].taken) && !atomic_load(&slots[i].memory)) break;
  }
  return found;
}

int cs_call_begin(cs_call *call) {
  int found = take_any();
  if (found < 0) return 0;
  last = found;
  call->outer = current;
  current = &slots[found];
  atomic_store_explicit(&current->is_short, 0, memory_order_relaxed);
  return 1;
}

void cs_call_end(const cs_call *call) {
  cs_text_release();
  slot *ended = current;
  current = call->outer;
  atomic_store_explicit(&ended->taken, 0, memory_order_release);
}

void *cs_call_current(void) { return current; }

void *cs_call_join(void *call) {
  void *before = current;
  if (before == call) return before;
  cs_text_release();
  current = call;
  if (call && !own) {
    int found = take_any();
    if (found >= 0) own = &slots[found];
    /* What little is made until the next check comes from the call's reserve. */
    else atomic_store(&current->is_short, 1);
  }
  return before;
}

int cs_call_is_short(void) { return current && atomic_load_explicit(&current->is_short, memory_order_relaxed); }

void *cs_reserve_take(size_t byte_count) {
  slot *from = own ? own : current;
  return from ? take(from, GRAIN, byte_count) : NULL;
}

void cs_reserve_trim(void) {
  for (int i = 0; i < SLOTS; i++) {
    slot *idle = &slots[i];
    if (!atomic_load(&idle->memory) || atomic_exchange(&idle->taken, 1)) continue;
    if (atomic_load(&idle->live) == 0) __real_free(atomic_exchange(&idle->memory, NULL));
    atomic_store_explicit(&idle->taken, 0, memory_order_release);
  }
}

#else

int cs_call_begin(cs_call *call) {
  call->outer = NULL;
  return 1;
}
void cs_call_end(const cs_call *call) { (void)call; }
void *cs_call_current(void) { return NULL; }
void *cs_call_join(void *call) { return call; }
int cs_call_is_short(void) { return 0; }
void cs_reserve_trim(void) {}

#endif
