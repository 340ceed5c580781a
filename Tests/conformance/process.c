/* The library in its process: many threads on one model, a fork, and memory that is refused. */
#define _DEFAULT_SOURCE 1
#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static float expected_latents[COUNT * LATENTS];
static uint8_t expected_pixels[COUNT * SIZE], expected_images[COUNT * SIZE];
static ae_imageset *shared_set;

static int agrees(int rounds) {
  static __thread float latents[COUNT * LATENTS];
  static __thread uint8_t images[COUNT * SIZE];
  for (int round = 0; round < rounds; round++) {
    if (ae_encode_u8(NULL, elu, pixels, COUNT, latents) != AE_OK ||
        memcmp(latents, expected_latents, sizeof latents) != 0 ||
        ae_decode_u8(NULL, elu, latents, COUNT, images) != AE_OK ||
        memcmp(images, expected_pixels, sizeof images) != 0 ||
        ae_imageset_read(shared_set, 0, COUNT, images) != AE_OK ||
        memcmp(images, expected_images, sizeof images) != 0)
      return 0;
    /* Errors of other threads must not be seen here. */
    if (ae_encode_u8(NULL, elu, NULL, (size_t)round + 1, latents) != AE_ERROR_ARGUMENT ||
        strstr(ae_last_error(), "NULL") == NULL)
      return 0;
  }
  return 1;
}

/* A model stored in integers and not used yet, so that threads meet at its first use. */
static ae_model *unused;

/* Everything that it puts off: both networks, and its hash. */
static int use_all(ae_model *model, ae_model_information *info, float *latents, uint8_t *images) {
  info->struct_size = sizeof *info;
  return ae_encode_u8(NULL, model, pixels, COUNT, latents) == AE_OK &&
         ae_decode_u8(NULL, model, latents, COUNT, images) == AE_OK && ae_model_info(model, info) == AE_OK;
}

/* Whether the shared model gives what another one of the same bytes gives, which this thread opens. */
static int agrees_at_first_use(void) {
  static __thread float latents[2][COUNT * LATENTS];
  static __thread uint8_t images[2][COUNT * SIZE];
  ae_model_information info[2];
  ae_model *own = NULL;
  size_t size = 0;
  int right = use_all(unused, &info[0], latents[0], images[0]);
  void *file = saved(unused, AE_STORAGE_INT8, 0, &size);
  right = right && ae_model_open_memory(NULL, file, size, &own) == AE_OK && use_all(own, &info[1], latents[1], images[1]);
  free(file);
  ae_model_free(own);
  return right && memcmp(latents[0], latents[1], sizeof latents[0]) == 0 &&
         memcmp(images[0], images[1], sizeof images[0]) == 0 && strcmp(info[0].hash, info[1].hash) == 0;
}

static void *work(void *context) {
  *(int *)context = agrees_at_first_use() && agrees(20);
  return NULL;
}

static void test_threads(void) {
  enum { THREADS = 6 };
  pthread_t threads[THREADS];
  int results[THREADS] = {0}, all = 1;
  size_t size = 0;
  void *file = saved(elu, AE_STORAGE_INT8, 0, &size);
  if (ae_model_open_memory(NULL, file, size, &unused) != AE_OK) require(NULL);
  free(file);
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, work, &results[i]) != 0) require(NULL);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    all = all && results[i];
  }
  ae_model_free(unused);
  check(all, "%d threads with one model and one set agree with one thread, from the first use on", THREADS);
}

/* Runs `body` in a child and gives its exit code, or -1 if it was ended or hung. */
static int in_child(int (*body)(void)) {
  int status = 0;
  pid_t child;
  fflush(stdout);
  child = fork();
  if (child == 0) {
    alarm(300);
    _exit(body());
  }
  if (child < 0 || waitpid(child, &status, 0) != child) return -1;
  if (WIFSIGNALED(status)) printf("         the child was ended by signal %d\n", WTERMSIG(status));
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int use_after_fork(void) { return agrees(3) ? 0 : 1; }

static int train_after_fork(void) {
  ae_model *model = train(AE_KIND_LINEAR);
  ae_model_free(model);
  return 0;
}

/* ---- Memory ---- */

static size_t address_space(void) {
  unsigned long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%lu", &pages) != 1) pages = 0;
  if (file != NULL) fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int limit_to(size_t more) {
  struct rlimit limit;
  size_t used = address_space();
  limit.rlim_cur = limit.rlim_max = used + more;
  return used > 0 && setrlimit(RLIMIT_AS, &limit) == 0;
}

/* Exit codes of the children: 0 as it should be, 3 if the limit cannot be set, else which check failed. */
static int refuse_large_network(void) {
  ae_options *options =
      small_options(AE_KIND_ELU, "width=64 height=64 hidden=4096,4096,4096,4096,4096,4096,4096,4096");
  ae_trainer *trainer = NULL;
  if (!limit_to((size_t)256 << 20)) return 3;
  if (ae_trainer_create(NULL, options, &trainer) != AE_ERROR_MEMORY) return 4;
  if (trainer != NULL || strstr(ae_last_error(), "allocate") == NULL) return 5;
  ae_options_free(options);
  return agrees(1) ? 0 : 6;
}

static int refuse_large_batch(void) {
  ae_trainer *trainer = trainer_of(AE_KIND_ELU, "hidden=4096 batch_size=65536");
  if (!limit_to((size_t)64 << 20)) return 3;
  if (ae_trainer_fit(trainer, pixels, COUNT) != AE_ERROR_MEMORY) return 5;
  ae_trainer_free(trainer);
  return agrees(1) ? 0 : 6;
}

static int refuse_large_file(void) {
  char path[] = "/tmp/libae-conformance-XXXXXX";
  int file = mkstemp(path), code = 0;
  ae_model *model = NULL;
  ae_imageset *set = NULL;
  size_t size;
  uint8_t *head = saved(elu, AE_STORAGE_FLOAT32, 0, &size);
  if (file < 0 || ftruncate(file, (off_t)1 << 30) != 0 || !limit_to((size_t)64 << 20)) code = 3;
  /* Zeros are no file of either kind: their first bytes say so, and no more are read. */
  if (code == 0 && ae_model_open(NULL, path, &model) != AE_ERROR_FORMAT) code = 4;
  if (code == 0 && ae_imageset_open(NULL, path, elu, &set) != AE_ERROR_FORMAT) code = 5;
  /* A weight file whose header declares as much as there is. */
  memset(head + 16, 0, 8);
  head[19] = 0x40;
  if (code == 0 && pwrite(file, head, 64, 0) != 64) code = 3;
  if (code == 0 && ae_model_open(NULL, path, &model) != AE_ERROR_MEMORY) code = 8;
  free(head);
  if (code == 0 && (model != NULL || set != NULL)) code = 7;
  close(file);
  unlink(path);
  if (code != 0) return code;
  return agrees(1) ? 0 : 6;
}

static int refuse_large_sets(void) {
  size_t count = 400000, bytes = count * SIZE, size = 0;
  uint8_t *many = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ae_imageset *set = NULL;
  ae_model *model = NULL;
  void *out;
  if (many == MAP_FAILED || !limit_to((size_t)24 << 20)) return 3;
  if (ae_imageset_open_memory(NULL, many, bytes, elu, &set) == AE_OK) return 4;
  if (ae_model_open_memory(NULL, many, bytes, &model) == AE_OK) return 5;
  /* Images of nothing become a small set: this may succeed, and must not end the process. */
  out = malloc((size_t)8 << 20);
  if (out != NULL) {
    ae_status status = ae_compress(NULL, elu, many, count, NULL, NULL, out, (size_t)8 << 20, &size);
    if (status != AE_OK && status != AE_ERROR_MEMORY && status != AE_ERROR_BUFFER) return 7;
    free(out);
  }
  return agrees(1) ? 0 : 6;
}

/* Every amount of memory from none upwards: each call succeeds or says AE_ERROR_MEMORY. */
static int refuse_at_any_point(void) {
  size_t size = 0;
  void *file = saved(elu, AE_STORAGE_FLOAT32, 0, &size);
  struct rlimit limit;
  size_t used = address_space();
  int refused = 0;
  ae_options *options = small_options(AE_KIND_ELU, "hidden=2000,2000 steps=1");
  if (used == 0 || getrlimit(RLIMIT_AS, &limit) != 0) return 3;
  for (size_t more = (size_t)1 << 20; more <= (size_t)150 << 20; more += (size_t)7 << 20) {
    ae_trainer *trainer = NULL;
    ae_status status;
    limit.rlim_cur = used + more;
    if (setrlimit(RLIMIT_AS, &limit) != 0) return 3;
    status = ae_trainer_create(NULL, options, &trainer);
    if (status == AE_OK) status = ae_trainer_fit(trainer, pixels, COUNT);
    if (status == AE_ERROR_MEMORY) refused++;
    if (status != AE_OK && status != AE_ERROR_MEMORY) return 4;
    ae_trainer_free(trainer);
  }
  ae_options_free(options);
  free(file);
  if (refused == 0) return 5;
  return agrees(1) ? 0 : 6;
}

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

static void test_memory(const char *name, int (*body)(void)) {
#if __has_feature(address_sanitizer)
  (void)body;
  skip("%s: the address sanitizer ends where it is refused memory itself", name);
  return;
#endif
  int code = in_child(body);
  if (code == 3)
    skip("%s: RLIMIT_AS cannot be set here", name);
  else
    check(code == 0, "%s (exit code %d)", name, code);
}

static void prepare(void) {
  size_t size = 0;
  void *bytes = compressed(elu, COUNT, NULL, "", &size);
  if (ae_imageset_open_memory(NULL, bytes, size, elu, &shared_set) != AE_OK ||
      ae_encode_u8(NULL, elu, pixels, COUNT, expected_latents) != AE_OK ||
      ae_decode_u8(NULL, elu, expected_latents, COUNT, expected_pixels) != AE_OK ||
      ae_imageset_read(shared_set, 0, COUNT, expected_images) != AE_OK)
    require(NULL);
  free(bytes);
}

void test_sharing(void) {
  prepare();
  test_threads();
  ae_imageset_free(shared_set);
}

void test_process(void) {
  prepare();
  check(agrees(2), "the same calls give the same results");
  test_threads();
  check(in_child(use_after_fork) == 0, "a child of fork uses the library");
  check(in_child(train_after_fork) == 0, "and trains");
  check(agrees(1), "and its parent goes on");
  test_memory("a network larger than memory gives AE_ERROR_MEMORY", refuse_large_network);
  test_memory("a batch larger than memory gives AE_ERROR_MEMORY", refuse_large_batch);
  test_memory("files larger than memory give AE_ERROR_MEMORY", refuse_large_file);
  test_memory("sets larger than memory are refused", refuse_large_sets);
  test_memory("memory that ends at any point ends no process", refuse_at_any_point);
  ae_imageset_free(shared_set);
}
