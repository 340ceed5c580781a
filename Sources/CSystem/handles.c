/*
 * The table of live handles: see CSystem.h. Its own file because a handle must be checked without a look at the
 * memory of what it may no longer be: what a caller holds is no address, but a place in this table and the
 * number of its user there.
 */
#include "CSystem.h"

#include <pthread.h>
#include <stdatomic.h>

/* A handle is serial << PLACE_BITS | place. */
#define PLACE_BITS (sizeof(uintptr_t) * 3)
#define PLACE_MASK (((uintptr_t)1 << PLACE_BITS) - 1)

/* A place of the table, free or not. Places are never given back, so a stale handle's can be looked at. */
typedef struct place {
  /* The handle that has the place, 0 if none has. */
  _Atomic uintptr_t handle;
  _Atomic uint64_t kind;
  _Atomic(void *) object;
  /* Of the last handle that had it. */
  uintptr_t serial;
  /* The next free one, plus 1. */
  uintptr_t next;
} place;

/* Chunk k holds 64 << k places; as many chunks as places can be numbered. */
#define FIRST_CHUNK ((uintptr_t)64)
enum { CHUNKS = PLACE_BITS - 6 };
static _Atomic(place *) chunks[CHUNKS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* Places in all chunks, and the first free one, plus 1; under the mutex. */
static uintptr_t place_count, first_free;

/* The place of a number, or NULL if there is none yet. */
static place *find(uintptr_t number) {
  uintptr_t start = 0;
  for (int k = 0; k < CHUNKS; k++) {
    uintptr_t size = FIRST_CHUNK << k;
    if (number - start < size) {
      place *chunk = atomic_load_explicit(&chunks[k], memory_order_acquire);
      return chunk ? chunk + (number - start) : NULL;
    }
    start += size;
  }
  return NULL;
}

static int grow(void) {
  int k = 0;
  while (k < CHUNKS && atomic_load(&chunks[k])) k++;
  place *chunk = k < CHUNKS ? cs_allocate((FIRST_CHUNK << k) * sizeof(place)) : NULL;
  if (!chunk) return 0;
  for (uintptr_t i = FIRST_CHUNK << k; i-- > 0;) {
    /* Serials begin anywhere, so that no address and no small number is a handle by chance. */
    chunk[i].serial = (uintptr_t)((place_count + i + 1) * 0x9E3779B97F4A7C15u >> 8);
    chunk[i].next = first_free;
    first_free = place_count + i + 1;
  }
  place_count += FIRST_CHUNK << k;
  atomic_store_explicit(&chunks[k], chunk, memory_order_release);
  return 1;
}

void *cs_handle_make(uint64_t kind, void *object) {
  uintptr_t handle = 0;
  pthread_mutex_lock(&mutex);
  if (first_free || grow()) {
    uintptr_t number = first_free - 1;
    place *own = find(number);
    first_free = own->next;
    do {
      own->serial++;
      handle = own->serial << PLACE_BITS | number;
    } while (own->serial << PLACE_BITS == 0);
    atomic_store_explicit(&own->kind, kind, memory_order_relaxed);
    atomic_store_explicit(&own->object, object, memory_order_relaxed);
    atomic_store_explicit(&own->handle, handle, memory_order_release);
  }
  pthread_mutex_unlock(&mutex);
  return (void *)handle;
}

void *cs_handle_object(const void *handle, uint64_t kind) {
  place *own = find((uintptr_t)handle & PLACE_MASK);
  if (!handle || !own || atomic_load_explicit(&own->handle, memory_order_acquire) != (uintptr_t)handle) return NULL;
  return atomic_load_explicit(&own->kind, memory_order_relaxed) == kind
             ? atomic_load_explicit(&own->object, memory_order_relaxed)
             : NULL;
}

void *cs_handle_take(void *handle, uint64_t kind) {
  void *object = NULL;
  pthread_mutex_lock(&mutex);
  object = cs_handle_object(handle, kind);
  if (object) {
    uintptr_t number = (uintptr_t)handle & PLACE_MASK;
    place *own = find(number);
    atomic_store_explicit(&own->handle, 0, memory_order_relaxed);
    own->next = first_free;
    first_free = number + 1;
  }
  pthread_mutex_unlock(&mutex);
  return object;
}
