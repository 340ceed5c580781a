/*
 * Calls in a context: the same results as without one, on no more threads than it says, with memory of its allocator
 * alone, which comes back to it, also from handles that outlive it; and what comes of an allocator that refuses.
 */
#define _POSIX_C_SOURCE 200112L
#include "check.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* An allocator that knows what is out, and the most that was, how many threads called it, and when to say no. */
typedef struct host {
  pthread_mutex_t mutex;
  size_t live, most;
  long calls, refused, faults;
  int rest_refused, thread_count;
  pthread_t threads[64];
} host;

static void begin(host *h) {
  int i = 0;
  pthread_mutex_lock(&h->mutex);
  while (i < h->thread_count && !pthread_equal(h->threads[i], pthread_self())) i++;
  if (i == h->thread_count && i < 64) h->threads[h->thread_count++] = pthread_self();
}

static void *host_allocate(void *allocator, size_t byte_count, size_t alignment) {
  host *h = allocator;
  void *memory = NULL;
  begin(h);
  long call = h->calls++;
  if (byte_count == 0 || byte_count % 64 != 0 || alignment != 64) h->faults++;
  if (h->refused < 0 || (h->rest_refused ? call < h->refused : call != h->refused))
    if (posix_memalign(&memory, 64, byte_count + 64) != 0) memory = NULL;
  if (memory != NULL) {
    *(size_t *)memory = byte_count;
    memory = (char *)memory + 64;
    memset(memory, 0xAB, byte_count);
    h->live += byte_count;
    if (h->live > h->most) h->most = h->live;
  }
  pthread_mutex_unlock(&h->mutex);
  return memory;
}

static void host_free(void *allocator, void *memory, size_t byte_count) {
  host *h = allocator;
  void *whole = (char *)memory - 64;
  begin(h);
  if (*(size_t *)whole != byte_count) h->faults++;
  h->live -= byte_count;
  pthread_mutex_unlock(&h->mutex);
  free(whole);
}

static ae_context *context_of(host *h, int threads) {
  ae_context_options options;
  ae_context *context = NULL;
  memset(h, 0, sizeof *h);
  pthread_mutex_init(&h->mutex, NULL);
  h->refused = -1;
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.threads = threads;
  options.allocate = host_allocate;
  options.free = host_free;
  options.allocator = h;
  if (ae_context_create(&options, &context) != AE_OK) require(NULL);
  return context;
}

/* What a model gives for the images of the test, and what all of the calls are given. */
enum { SET_SIZE = 1 << 20 };
static struct {
  void *weights, *set;
  size_t weights_size, set_size;
  uint8_t *decoded, *read;
  float *codes;
} expected;

typedef struct results {
  ae_model *model, *trained;
  ae_imageset *set;
  ae_trainer *trainer;
  float codes[COUNT * LATENTS];
  uint8_t decoded[COUNT * SIZE], read[COUNT * SIZE], packed[SET_SIZE];
  size_t packed_size;
} results;

static void release_results(results *r) {
  ae_imageset_free(r->set);
  ae_model_free(r->model);
  ae_model_free(r->trained);
  ae_trainer_free(r->trainer);
  r->set = NULL, r->model = r->trained = NULL, r->trainer = NULL;
}

/* The calls, in an order in which each needs those before it. */
enum { CALLS = 9 };
static const char *const call_names[CALLS] = {"ae_model_open_memory", "ae_encode_u8", "ae_decode_u8", "ae_compress",
    "ae_imageset_open_memory", "ae_imageset_read", "ae_trainer_create", "ae_trainer_fit", "ae_trainer_model"};

/* Which of them take a context; the others work in that of their handle. */
static const int takes_context[CALLS] = {1, 1, 1, 1, 1, 0, 1, 0, 0};

static ae_status make_call(int which, const ae_context *context, results *r) {
  switch (which) {
  case 0:
    return ae_model_open_memory(context, expected.weights, expected.weights_size, &r->model);
  case 1:
    return ae_encode_u8(context, r->model, pixels, COUNT, r->codes);
  case 2:
    return ae_decode_u8(context, r->model, r->codes, COUNT, r->decoded);
  case 3:
    return ae_compress(context, r->model, pixels, COUNT, NULL, NULL, r->packed, SET_SIZE, &r->packed_size);
  case 4:
    return ae_imageset_open_memory(context, r->packed, r->packed_size, r->model, &r->set);
  case 5:
    return ae_imageset_read(r->set, 0, COUNT, r->read);
  case 6: {
    ae_options *options = small_options(AE_KIND_CONV_VAE, "steps=5");
    ae_status status = ae_trainer_create(context, options, &r->trainer);
    ae_options_free(options);
    return status;
  }
  case 7:
    return ae_trainer_fit(r->trainer, pixels, COUNT);
  default:
    return ae_trainer_model(r->trainer, pixels, COUNT, &r->trained);
  }
}

static int is_expected(const results *r) {
  return memcmp(r->codes, expected.codes, sizeof r->codes) == 0 &&
         memcmp(r->decoded, expected.decoded, sizeof r->decoded) == 0 &&
         memcmp(r->read, expected.read, sizeof r->read) == 0 && r->packed_size == expected.set_size &&
         memcmp(r->packed, expected.set, expected.set_size) == 0;
}

/* All calls, all memory given back at the end, and the handles the last to go. */
static int all_calls(int threads, results *r) {
  host h;
  ae_context *context = context_of(&h, threads);
  int right = 1;
  for (int i = 0; i < CALLS; i++) right = right && make_call(i, context, r) == AE_OK;
  ae_context_free(context);
  right = right && is_expected(r) && h.live > expected.weights_size && h.thread_count <= threads;
  release_results(r);
  return right && h.live == 0 && h.faults == 0;
}

static void *repeat_calls(void *argument) {
  int threads = *(int *)argument;
  results *r = require(calloc(1, sizeof *r));
  int right = 1;
  for (int i = 0; i < 2; i++) right = right && all_calls(threads, r);
  free(r);
  *(int *)argument = right;
  return NULL;
}

static void test_refusals(results *r) {
  for (int which = 0; which < CALLS; which++) {
    if (!takes_context[which]) continue;
    long total = 0, refused = 0, wrong = 0, lost = 0;
    for (int rest = 0; rest < 2; rest++)
      for (long call = 0, step = 1; call == 0 || call < total; call += step) {
        host h, before;
        ae_context *good = context_of(&before, 2), *context = context_of(&h, 2);
        for (int i = 0; i < which; i++)
          if (make_call(i, good, r) != AE_OK) wrong++;
        if (total > 0) h.refused = call, h.rest_refused = rest;
        ae_status status = make_call(which, context, r);
        if (total == 0) {
          total = h.calls > 0 ? h.calls : -1; /* The first run refuses nothing, and counts. */
          step = 1 + h.calls / 6;
          call = -step;
          wrong += status != AE_OK;
        } else {
          refused += status == AE_ERROR_MEMORY;
          wrong += status != AE_OK && status != AE_ERROR_MEMORY;
          if (status == AE_ERROR_MEMORY) {
            h.refused = -1;
            wrong += make_call(which, context, r) != AE_OK;
          }
        }
        ae_context_free(context);
        ae_context_free(good);
        release_results(r);
        lost += h.live != 0 || before.live != 0 || h.faults != 0;
      }
    check(total < 0 || refused > 0, "%s tells when memory is refused that it takes of its context", call_names[which]);
    check(wrong == 0 && lost == 0, "and goes on afterwards, and nothing is lost (%ld wrong, %ld lost)", wrong, lost);
  }
}

void test_calls_in_contexts(void) {
  results *r = require(calloc(1, sizeof *r));
  int threads[3] = {1, 2, 4};
  pthread_t workers[3];
  expected.weights = saved(elu, AE_STORAGE_INT8, 0, &expected.weights_size);
  for (int i = 0; i < CALLS; i++)
    if (make_call(i, NULL, r) != AE_OK) require(NULL);
  expected.codes = memcpy(require(malloc(sizeof r->codes)), r->codes, sizeof r->codes);
  expected.decoded = memcpy(require(malloc(sizeof r->decoded)), r->decoded, sizeof r->decoded);
  expected.read = memcpy(require(malloc(sizeof r->read)), r->read, sizeof r->read);
  expected.set = memcpy(require(malloc(r->packed_size)), r->packed, r->packed_size);
  expected.set_size = r->packed_size;
  release_results(r);

  for (int i = 0; i < 3; i++)
    check(all_calls(threads[i], r), "with %d threads and an allocator: the same results, on no more threads, all given back", threads[i]);
  for (int i = 0; i < 3; i++)
    if (pthread_create(&workers[i], NULL, repeat_calls, &threads[i]) != 0) require(NULL);
  for (int i = 0; i < 3; i++) pthread_join(workers[i], NULL);
  check(threads[0] && threads[1] && threads[2], "and so at the same time, with a context for each thread");
  test_refusals(r);

  /* A call with a handle that is no context. */
  check_status(ae_encode_u8((const ae_context *)(void *)elu, elu, pixels, 1, r->codes), AE_ERROR_ARGUMENT, "a model is no context");
  free(expected.weights), free(expected.codes), free(expected.decoded), free(expected.read), free(expected.set);
  free(r);
}
