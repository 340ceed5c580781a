/*
 * Runs every section against the library it is linked with, or prints what must not differ between
 * kernel paths:
 *
 *   conformance                 all sections; the last line counts
 *   conformance write FILE      writes the weights of a freshly trained model
 *   conformance digest FILE     a line for each thing that these weights must give on every path
 *   conformance info            ae_build_info()
 */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int passed, failed, skipped;

static void line(const char *mark, const char *format, va_list list, const char *more) {
  printf("%s ", mark);
  vprintf(format, list);
  printf("%s\n", more);
  fflush(stdout);
}

int check(int condition, const char *format, ...) {
  va_list list;
  va_start(list, format);
  if (condition)
    passed++;
  else
    failed++;
  line(condition ? "ok      " : "NOT OK  ", format, list, "");
  va_end(list);
  return condition;
}

int check_status(ae_status actual, ae_status expected, const char *format, ...) {
  char more[1200] = "";
  va_list list;
  va_start(list, format);
  if (actual == expected) {
    passed++;
  } else {
    failed++;
    snprintf(more, sizeof more, ": %s expected, %s came (%s)", ae_status_string(expected),
             ae_status_string(actual), ae_last_error());
  }
  line(actual == expected ? "ok      " : "NOT OK  ", format, list, more);
  va_end(list);
  return actual == expected;
}

void skip(const char *format, ...) {
  va_list list;
  va_start(list, format);
  skipped++;
  line("skipped ", format, list, "");
  va_end(list);
}

void *require(void *pointer) {
  if (pointer == NULL) {
    printf("NOT OK   the test has no memory, or a call it builds on failed: %s\n", ae_last_error());
    exit(2);
  }
  return pointer;
}

/* ---- Images and models ---- */

uint8_t pixels[COUNT * SIZE];
uint8_t labels[COUNT];
ae_model *elu, *vae;

static uint32_t random_state = 12345;
static int random_below(int bound) {
  random_state = random_state * 1664525u + 1013904223u;
  return (int)((uint64_t)(random_state >> 8) * (uint64_t)bound >> 24);
}

static void draw_images(void) {
  for (int i = 0; i < COUNT; i++) {
    /* In 256ths of a pixel: the centre of a soft disc, and the square of its radius. */
    int cx = 1536 + random_below(1024), cy = 1024 + random_below(1024), r = 640 + random_below(512);
    labels[i] = (uint8_t)(r / 128);
    for (int y = 0; y < HEIGHT; y++)
      for (int x = 0; x < WIDTH; x++) {
        int dx = 256 * x - cx, dy = 256 * y - cy;
        int value = 255 - (dx * dx + dy * dy) / (r * r / 128);
        pixels[i * SIZE + y * WIDTH + x] = (uint8_t)(value < 0 ? 0 : value);
      }
  }
}

static void set_pair(ae_options *options, const char *pair, size_t size) {
  char text[256];
  char *value;
  if (size >= sizeof text) require(NULL);
  memcpy(text, pair, size);
  text[size] = 0;
  value = require(strchr(text, '='));
  *value++ = 0;
  if (ae_options_set(options, text, value) != AE_OK) require(NULL);
}

void set_options(ae_options *options, const char *text) {
  for (size_t size; *text != 0; text += size) {
    text += strspn(text, " ");
    size = strcspn(text, " ");
    if (size > 0) set_pair(options, text, size);
  }
}

ae_options *options_of(int32_t table, const char *text) {
  ae_options *options = NULL;
  if (ae_options_create(table, &options) != AE_OK) require(NULL);
  set_options(options, text);
  return options;
}

ae_options *small_options(int32_t kind, const char *text) {
  char sizes[120];
  ae_options *options = options_of(AE_OPTIONS_TRAINING, "batch_size=32 learning_rate=3e-3 seed=7");
  if (ae_options_set_integer(options, "kind", kind) != AE_OK) require(NULL);
  /* Where there has to be a convolution, one of 4 channels. */
  snprintf(sizes, sizeof sizes, "width=%d height=%d latent_size=%d steps=%d hidden=%s", WIDTH, HEIGHT, LATENTS, STEPS,
           kind == AE_KIND_CONV_VAE ? "4,24" : kind == AE_KIND_RESIDUAL_VAE ? "4,4,24" : "24");
  set_options(options, sizes);
  set_options(options, text);
  return options;
}

ae_trainer *trainer_of(int32_t kind, const char *text) {
  ae_options *options = small_options(kind, text);
  ae_trainer *trainer = NULL;
  if (ae_trainer_create(NULL, options, &trainer) != AE_OK) require(NULL);
  ae_options_free(options);
  return trainer;
}

ae_model *train(int32_t kind) {
  ae_trainer *trainer = trainer_of(kind, "");
  ae_model *model = NULL;
  if (ae_trainer_fit(trainer, pixels, COUNT) != AE_OK || ae_trainer_model(trainer, pixels, COUNT, &model) != AE_OK)
    require(NULL);
  ae_trainer_free(trainer);
  return model;
}

void *saved(const ae_model *model, int32_t storage, uint32_t flags, size_t *size) {
  void *bytes;
  if (ae_model_save(model, storage, flags, NULL, 0, size) != AE_OK) require(NULL);
  bytes = require(malloc(*size));
  if (ae_model_save(model, storage, flags, bytes, *size, size) != AE_OK) require(NULL);
  return bytes;
}

void *compressed(const ae_model *model, size_t count, const uint8_t *of, const char *text, size_t *size) {
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, text);
  void *bytes;
  if (ae_compress(NULL, model, pixels, count, of, options, NULL, 0, size) != AE_OK) require(NULL);
  bytes = require(malloc(*size));
  if (ae_compress(NULL, model, pixels, count, of, options, bytes, *size, size) != AE_OK) require(NULL);
  ae_options_free(options);
  return bytes;
}

ae_imageset *opened_set(const void *bytes, size_t size, const ae_model *model) {
  ae_imageset *set = NULL;
  if (ae_imageset_open_memory(NULL, bytes, size, model, &set) != AE_OK) require(NULL);
  return set;
}

size_t in_last_block(const void *bytes, size_t size, const void *fewer, size_t fewer_size) {
  const uint8_t *a = bytes, *b = fewer;
  size_t at = 0;
  while (at < size && at < fewer_size && a[at] == b[at]) at++;
  if (at + 8 >= size) require(NULL);
  return at + 8;
}

void *read_file(const char *path, size_t *size) {
  FILE *file = require(fopen(path, "rb"));
  size_t room = 1 << 16;
  uint8_t *bytes = require(malloc(room));
  *size = 0;
  while ((*size += fread(bytes + *size, 1, room - 1 - *size, file)) == room - 1)
    bytes = require(realloc(bytes, room *= 2));
  fclose(file);
  bytes[*size] = 0;
  return bytes;
}

void write_file(const char *path, const void *bytes, size_t size) {
  FILE *file = require(fopen(path, "wb"));
  if (fwrite(bytes, 1, size, file) != size || fclose(file) != 0) require(NULL);
}

/* ---- Digests ---- */

/* FNV-1a: enough to compare paths, and short enough to need no test of its own. */
static uint64_t digest(const void *data, size_t size) {
  const uint8_t *bytes = data;
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 1099511628211u;
  return hash;
}

/* The images of a golden set, coded again by a method, on one thread and on two. */
static void print_lossless(const char *name, const char *method) {
  char path[100], text[120];
  ae_model *model = NULL;
  ae_imageset *set = NULL;
  ae_imageset_information info;
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  snprintf(path, sizeof path, "Tests/golden/%s.aez", name);
  if (ae_model_open(NULL, "Tests/golden/predictor-scans.aew", &model) != AE_OK ||
      ae_imageset_open(NULL, path, model, &set) != AE_OK || ae_imageset_info(set, &info) != AE_OK)
    require(NULL);
  const size_t image = (size_t)info.width * (size_t)info.height * (size_t)info.channels;
  const size_t count = (size_t)info.count, room = count * image + 10000;
  uint8_t *images = require(malloc(count * image)), *bytes = require(malloc(room));
  uint64_t first = 0;
  if (ae_imageset_read(set, 0, count, images) != AE_OK) require(NULL);
  printf("%s: its pixels %016llx\n", name, (unsigned long long)digest(images, count * image));
  snprintf(text, sizeof text, "mode=lossless method=%s block_images=4 width=%d height=%d channels=%d", method,
           (int)info.width, (int)info.height, (int)info.channels);
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, text);
  for (int threads = 1; threads < 3; threads++) {
    size_t size = 0;
    ae_set_threads(threads);
    if (ae_compress(NULL, model, images, count, NULL, options, bytes, room, &size) != AE_OK) require(NULL);
    const uint64_t hash = digest(bytes, size);
    if (threads == 1) printf("%s by %s: %zu bytes, %016llx\n", name, method, size, (unsigned long long)hash);
    if (threads == 1) first = hash;
    if (hash != first) printf("NOT OK   and other bytes on %d threads\n", threads);
  }
  ae_set_threads(0);
  ae_options_free(options);
  ae_imageset_free(set);
  ae_model_free(model);
  free(images);
  free(bytes);
}

static int print_digests(const char *path) {
  ae_model *model = NULL, *integer = NULL;
  ae_model_information info;
  char text[40];
  size_t size = 0;
  void *bytes;
  static uint8_t images[COUNT * SIZE];
  static float latents[COUNT * LATENTS];
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  if (ae_model_open(NULL, path, &model) != AE_OK || ae_model_info(model, &info) != AE_OK)
    require(NULL);
  printf("model %s\n", info.hash);
  for (int quality = 1; quality <= info.quality_count; quality++) {
    ae_imageset *set = NULL;
    snprintf(text, sizeof text, "quality=%d", quality);
    bytes = compressed(model, COUNT, NULL, text, &size);
    printf("quality %d, %zu bytes, %016llx\n", quality, size, (unsigned long long)digest(bytes, size));
    if (ae_imageset_open_memory(NULL, bytes, size, model, &set) != AE_OK ||
        ae_imageset_read(set, 0, COUNT, images) != AE_OK)
      require(NULL);
    printf("its pixels %016llx\n", (unsigned long long)digest(images, sizeof images));
    ae_imageset_free(set);
    free(bytes);
  }
  bytes = saved(model, AE_STORAGE_INT8, 0, &size);
  printf("as int8 %016llx\n", (unsigned long long)digest(bytes, size));
  if (ae_model_open_memory(NULL, bytes, size, &integer) != AE_OK ||
      ae_encode_u8(NULL, integer, pixels, COUNT, latents) != AE_OK ||
      ae_decode_u8(NULL, integer, latents, COUNT, images) != AE_OK)
    require(NULL);
  printf("its latents %016llx, its pixels %016llx\n", (unsigned long long)digest(latents, sizeof latents),
         (unsigned long long)digest(images, sizeof images));
  if (info.is_variational) {
    if (ae_prior(NULL, model, COUNT, 5, latents) != AE_OK) require(NULL);
    printf("prior %016llx\n", (unsigned long long)digest(latents, sizeof latents));
    if (ae_sample_u8(NULL, integer, COUNT, 5, images) != AE_OK) require(NULL);
    printf("samples %016llx\n", (unsigned long long)digest(images, sizeof images));
  }
  free(bytes);
  ae_model_free(integer);
  ae_model_free(model);
  static const char *const names[] = {"v3-predicted-grey", "v3-predicted-rgb", "v3-contexts-rgba"};
  for (int i = 0; i < 3; i++) {
    print_lossless(names[i], "contexts");
    print_lossless(names[i], "predicted");
  }
  print_lossless("v3-scans-predicted", "scans");
  return 0;
}

int main(int argc, char **argv) {
  draw_images();
  if (argc == 2 && strcmp(argv[1], "info") == 0) return puts(ae_build_info()) < 0;
  if (argc == 3 && strcmp(argv[1], "digest") == 0) return print_digests(argv[2]);
  if (argc == 3 && strcmp(argv[1], "write") == 0) {
    ae_model *model = train(AE_KIND_VAE);
    if (ae_model_save_file(model, AE_STORAGE_FLOAT32, 0, argv[2]) != AE_OK) require(NULL);
    ae_model_free(model);
    return 0;
  }
  if (argc == 2 && strcmp(argv[1], "sharing") == 0) {
    elu = train(AE_KIND_ELU);
    test_sharing();
    ae_model_free(elu);
    return failed != 0;
  }
  /* What reads and writes memory by what callers say, without the long trainings and the processes; what files say is the
     fuzzers' part. */
  if (argc == 2 && strcmp(argv[1], "memory") == 0) {
    elu = train(AE_KIND_ELU);
    vae = train(AE_KIND_VAE);
    test_models();
    test_tensors();
    test_coding();
    test_image_sets();
    test_ownership();
    ae_model_free(elu);
    ae_model_free(vae);
    printf("conformance: %d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
  }
  if (argc > 1) {
    fprintf(stderr, "usage: conformance [info | memory | sharing | write FILE | digest FILE]\n");
    return 64;
  }
  printf("%s\n", ae_build_info());
  test_library(); /* first: it sees a thread without errors */
  test_contexts();
  elu = train(AE_KIND_ELU);
  vae = train(AE_KIND_VAE);
  test_calls_in_contexts();
  test_option_tables();
  test_models();
  test_tensors();
  test_coding();
  test_image_sets();
  test_writers();
  test_colour();
  test_reading();
  test_training();
  test_hostile_files();
  test_environment();
  test_ownership();
  test_process();
  ae_model_free(elu);
  ae_model_free(vae);
  printf("conformance: %d passed, %d failed, %d skipped\n", passed, failed, skipped);
  return failed == 0 ? 0 : 1;
}
