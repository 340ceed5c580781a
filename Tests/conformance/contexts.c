/* Contexts: what can be asked of one, and what is refused. */
#include "check.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int calls;

static void *allocate(void *allocator, size_t byte_count, size_t alignment) {
  (void)allocator, (void)byte_count, (void)alignment;
  calls++;
  return NULL;
}

static void release(void *allocator, void *memory, size_t byte_count) {
  (void)allocator, (void)memory, (void)byte_count;
  calls++;
}

void test_contexts(void) {
  ae_context_options options;
  ae_context *context = NULL, *stale;
  char *path;
  struct {
    ae_context_options known;
    uint64_t unknown;
  } later;

  memset(&options, 0x5A, sizeof options);
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  check(options.struct_size == sizeof options && options.threads == 0 && options.allocate == NULL &&
            options.free == NULL && options.allocator == NULL && options.model_path == NULL,
        "every default is 0 or NULL");
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;

  check_status(ae_context_create(&options, NULL), AE_ERROR_ARGUMENT, "ae_context_create(NULL out)");
  check_status(ae_context_create(NULL, &context), AE_OK, "a context of defaults, without options");
  ae_context_free(context);
  ae_context_free(NULL);
  check_status(ae_context_create(&options, &context), AE_OK, "and with them");
  stale = context;
  ae_model_free((ae_model *)(void *)context);
  ae_context_free(context);
  ae_context_free(stale);
  check(1, "freeing a context again, or as something else, does nothing");

  options.threads = -1;
  check_status(ae_context_create(&options, &context), AE_ERROR_ARGUMENT, "-1 threads");
  check(context == NULL && strstr(ae_last_error(), "-1") != NULL, "store NULL, and the message says what came");
  options.threads = 257;
  check_status(ae_context_create(&options, &context), AE_ERROR_ARGUMENT, "257 threads");
  options.threads = 256;
  check_status(ae_context_create(&options, &context), AE_OK, "256 threads");
  check(ae_threads() == 2, "which are not the process's");
  ae_context_free(context);
  options.threads = 1;

  options.allocate = allocate;
  check_status(ae_context_create(&options, &context), AE_ERROR_ARGUMENT, "allocate without free");
  options.allocate = NULL;
  options.free = release;
  check_status(ae_context_create(&options, &context), AE_ERROR_ARGUMENT, "free without allocate");
  options.allocate = allocate;
  check_status(ae_context_create(&options, &context), AE_OK, "both");
  ae_context_free(context);
  check(calls == 0, "a context itself takes nothing from its allocator");

  options.model_path = "a:/b c::../d:";
  check_status(ae_context_create(&options, &context), AE_OK, "a path of folders");
  ae_context_free(context);
  options.model_path = "";
  check_status(ae_context_create(&options, &context), AE_OK, "a path of none");
  ae_context_free(context);
  path = require(malloc(5001));
  memset(path, 'x', 5000);
  path[5000] = 0;
  options.model_path = path;
  check_status(ae_context_create(&options, &context), AE_ERROR_ARGUMENT, "a path of 5000 bytes");
  free(path);
  options.model_path = NULL;

  memset(&later, 0, sizeof later);
  later.known = options;
  later.known.struct_size = sizeof later;
  check_status(ae_context_create(&later.known, &context), AE_OK, "options of a later version, which say nothing new");
  ae_context_free(context);
  later.unknown = 1;
  check_status(ae_context_create(&later.known, &context), AE_ERROR_VERSION, "and that do");
}
