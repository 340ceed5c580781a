/*
 * Sets that are read by range, as from an object store: what is asked for, how much of it, and what becomes of a
 * source that fails or gives other bytes. And models that are found by name.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 2400 };
static uint8_t many[MANY * SIZE], expected[MANY * SIZE], images[MANY * SIZE], many_labels[MANY];

static ae_imageset_information info_of(const ae_imageset *set) {
  ae_imageset_information info;
  memset(&info, 0xEE, sizeof info);
  info.struct_size = sizeof info;
  if (ae_imageset_info(set, &info) != AE_OK) require(NULL);
  return info;
}

/* Bytes that are read by range, counted under a lock. */
typedef struct source {
  pthread_mutex_t lock;
  const uint8_t *bytes;
  uint64_t size, told; /* bytes asked for */
  int calls, fails_at, is_sound;
  uint64_t first_offset;
} source;

static int32_t give(void *context, uint64_t offset, size_t byte_count, void *out) {
  source *from = context;
  int fails;
  pthread_mutex_lock(&from->lock);
  if (from->calls++ == 0) from->first_offset = offset;
  fails = from->calls == from->fails_at;
  from->told += byte_count;
  from->is_sound = from->is_sound && offset <= from->size && byte_count <= from->size - offset && byte_count > 0;
  if (!fails && from->is_sound) memcpy(out, from->bytes + offset, byte_count);
  fails = fails || !from->is_sound;
  pthread_mutex_unlock(&from->lock);
  return fails;
}

static void start(source *from, const void *bytes, size_t size) {
  memset(from, 0, sizeof *from);
  pthread_mutex_init(&from->lock, NULL);
  from->bytes = bytes;
  from->size = size;
  from->is_sound = 1;
}

static void *packed(const ae_model *model, size_t count, const char *text, size_t *size) {
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, text);
  void *bytes;
  if (ae_compress(NULL, model, many, count, many_labels, options, NULL, 0, size) != AE_OK) require(NULL);
  bytes = require(malloc(*size));
  if (ae_compress(NULL, model, many, count, many_labels, options, bytes, *size, size) != AE_OK) require(NULL);
  ae_options_free(options);
  return bytes;
}

static void test_ranges(const ae_model *model, const char *text) {
  source from;
  size_t size = 0;
  uint8_t *bytes = packed(model, MANY, text, &size);
  ae_imageset *set = opened_set(bytes, size, model);
  uint64_t opening, reading;
  int same = 1, opening_calls;
  if (ae_imageset_read(set, 0, MANY, expected) != AE_OK) require(NULL);
  ae_imageset_free(set);
  start(&from, bytes, size);
  if (!check_status(ae_imageset_open_callback(NULL, give, &from, size, model, &set), AE_OK, "\"%s\" opens by range", text))
    return;
  opening = from.told;
  opening_calls = from.calls;
  check(from.is_sound, "asks for nothing that is not there, nor for nothing");
  check(info_of(set).count == MANY && info_of(set).byte_count == size && info_of(set).has_labels == 1,
        "tells all about itself");
  check(from.told == opening, "without reading more");
  check_status(ae_imageset_read(set, 1000, 1, images), AE_OK, "one image is read");
  reading = from.told - opening;
  check(memcmp(images, expected + 1000 * SIZE, SIZE) == 0, "the right one");
  check(opening <= 80 * 1024 && opening_calls <= 4,
        "opening took %d bytes in %d calls: the end of the set, whatever its size (%d)", (int)opening, opening_calls,
        (int)size);
  check(reading < size / 40 && from.calls == opening_calls + 1, "and the image one call for its block, of %d bytes",
        (int)reading);
  check_status(ae_imageset_read(set, 0, MANY, images), AE_OK, "all are read");
  check(memcmp(images, expected, sizeof expected) == 0, "and are those that a set in memory gives");
  check(ae_imageset_labels(set, 0, MANY, images) == AE_OK && memcmp(images, many_labels, MANY) == 0, "with their labels");
  for (size_t i = 0; i < MANY && same; i += 37)
    same = ae_imageset_read(set, i, 1, images) == AE_OK && memcmp(images, expected + i * SIZE, SIZE) == 0;
  check(same && from.is_sound, "each alone is the same");
  ae_imageset_free(set);
  free(bytes);
}

/* A source that fails at its first call, its second, ...: an error each time, and none that stays. */
static void test_failures(void) {
  source from;
  size_t size = 0;
  uint8_t *bytes = packed(elu, MANY, "block_images=16", &size), *fewer;
  ae_imageset *set = NULL;
  int refused = 1, opening;
  size_t fewer_size = 0, last;
  fewer = packed(elu, MANY - 16, "block_images=16", &fewer_size);
  last = in_last_block(bytes, size, fewer, fewer_size);
  free(fewer);
  start(&from, bytes, size);
  if (ae_imageset_open_callback(NULL, give, &from, size, elu, &set) != AE_OK) require(NULL);
  ae_imageset_free(set);
  opening = from.calls;
  for (int at = 1; at <= opening; at++) {
    start(&from, bytes, size);
    from.fails_at = at;
    refused = refused && ae_imageset_open_callback(NULL, give, &from, size, elu, &set) == AE_ERROR_IO && set == NULL &&
              ae_last_error()[0] != 0;
  }
  check(refused, "a source that fails at any of %d calls while a set is opened is AE_ERROR_IO: %s", opening,
        ae_last_error());
  start(&from, bytes, size);
  if (ae_imageset_open_callback(NULL, give, &from, size, elu, &set) != AE_OK) require(NULL);
  from.fails_at = from.calls + 1;
  check_status(ae_imageset_read(set, 100, 1, images), AE_ERROR_IO, "one that fails while an image is read, too");
  check(ae_last_error()[0] != 0, "with a word: %s", ae_last_error());
  check_status(ae_imageset_read(set, 100, 1, images), AE_OK, "it is asked again when the image is");
  if (ae_imageset_read(set, 0, MANY, images) != AE_OK) require(NULL);
  from.fails_at = from.calls + 5;
  check_status(ae_imageset_read(set, 0, MANY, images), AE_ERROR_IO, "in the middle of many");
  {
    size_t lost = 0;
    ae_status status;
    from.fails_at = from.calls + 5;
    status = ae_imageset_salvage(set, 0, MANY, images, NULL, &lost);
    check(status == AE_ERROR_IO || (status == AE_OK && lost > 0), "salvaging does not take that for images: %s, %d lost",
          ae_status_string(status), (int)lost);
  }
  check_status(ae_imageset_read(set, 0, MANY, images), AE_OK, "after that all is well");
  ae_imageset_free(set);

  /* Other bytes than those that were written. */
  start(&from, bytes, size);
  if (ae_imageset_open_callback(NULL, give, &from, size, elu, &set) != AE_OK) require(NULL);
  bytes[last] ^= 0x20;
  check_status(ae_imageset_read(set, MANY - 1, 1, images), AE_ERROR_CHECKSUM, "other bytes in a block");
  check_status(ae_imageset_read(set, 0, MANY - 16, images), AE_OK, "which others do not mind");
  bytes[last] ^= 0x20;
  check_status(ae_imageset_read(set, MANY - 1, 1, images), AE_OK, "and which may pass");
  ae_imageset_free(set);
  bytes[0] ^= 1;
  check_status(ae_imageset_open_callback(NULL, give, &from, size, elu, &set), AE_ERROR_FORMAT, "other first bytes");
  bytes[0] ^= 1;
  {
    int taken = 0;
    for (size_t at = 0; at < 48; at++) {
      bytes[at] ^= 0x40;
      taken += ae_imageset_open_callback(NULL, give, &from, size, elu, &set) == AE_OK;
      if (set != NULL) ae_imageset_free(set);
      bytes[at] ^= 0x40;
    }
    check(taken == 0, "no other byte at the start is taken (%d)", taken);
  }
  start(&from, bytes, size);
  check(ae_imageset_open_callback(NULL, give, &from, size - 1, elu, &set) != AE_OK && set == NULL && from.is_sound,
        "a byte less than there is: %s", ae_last_error());
  check(ae_imageset_open_callback(NULL, give, &from, 0, elu, &set) != AE_OK && set == NULL && from.is_sound,
        "nothing: %s", ae_last_error());
  check(ae_imageset_open_callback(NULL, give, &from, 7, elu, &set) != AE_OK && set == NULL && from.is_sound,
        "less than a header: %s", ae_last_error());
  check(ae_imageset_open_callback(NULL, give, &from, size + 1, elu, &set) != AE_OK && set == NULL,
        "a byte more: %s", ae_last_error());
  check(ae_imageset_open_callback(NULL, give, &from, UINT64_MAX, elu, &set) != AE_OK && set == NULL,
        "UINT64_MAX bytes: %s", ae_last_error());
  start(&from, bytes, size);
  check_status(ae_imageset_open_callback(NULL, give, &from, size, vae, &set), AE_ERROR_MODEL, "another model");
  free(bytes);
}

static ae_imageset *shared;

static void *read_some(void *context) {
  static __thread uint8_t some[300 * SIZE];
  int *result = context;
  const size_t first = (size_t)*result * 300;
  *result = 1;
  for (int round = 0; round < 5; round++)
    *result = *result && ae_imageset_read(shared, first, 300, some) == AE_OK &&
              memcmp(some, expected + first * SIZE, sizeof some) == 0;
  return NULL;
}

/* One set that several threads read from. */
static void test_readers(void) {
  enum { THREADS = 6 };
  pthread_t threads[THREADS];
  int results[THREADS], all = 1;
  source from;
  size_t size = 0;
  uint8_t *bytes = packed(elu, MANY, "block_images=16", &size);
  start(&from, bytes, size);
  if (ae_imageset_open_callback(NULL, give, &from, size, elu, &shared) != AE_OK ||
      ae_imageset_read(shared, 0, MANY, expected) != AE_OK)
    require(NULL);
  for (int i = 0; i < THREADS; i++) {
    results[i] = i;
    if (pthread_create(&threads[i], NULL, read_some, &results[i]) != 0) require(NULL);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    all = all && results[i];
  }
  check(all && from.is_sound, "%d threads read one set by range", THREADS);
  ae_imageset_free(shared);
  free(bytes);
}

/* ---- Models by name ---- */

static ae_context *context_of(const char *model_path) {
  ae_context_options options;
  ae_context *context = NULL;
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.model_path = model_path;
  if (ae_context_create(&options, &context) != AE_OK) require(NULL);
  return context;
}

static int is_named(ae_model *model, const char *hash) {
  ae_model_information info;
  info.struct_size = sizeof info;
  return ae_model_info(model, &info) == AE_OK && strcmp(info.hash, hash) == 0;
}

/* Any model is found by its hash, in files and folders, when a set names it. */
static void test_found_models(void) {
  char folder[] = "/tmp/libae-conformance-XXXXXX", file[100], list[300];
  size_t size = 0;
  void *bytes = compressed(elu, COUNT, NULL, "", &size);
  ae_imageset *set = NULL;
  ae_model *model = NULL;
  ae_context *context;
  ae_model_information info;
  info.struct_size = sizeof info;
  if (mkdtemp(folder) == NULL || ae_model_info(elu, &info) != AE_OK) require(NULL);
  snprintf(file, sizeof file, "%s/any name.aew", folder);
  if (ae_model_save_file(elu, AE_STORAGE_INT8, AE_SAVE_DECODER_ONLY, file) != AE_OK) require(NULL);
  unsetenv("AE_MODEL_PATH");
  check_status(ae_imageset_open_memory(NULL, bytes, size, NULL, &set), AE_ERROR_MODEL, "a set whose model is nowhere");
  check(strstr(ae_last_error(), info.name) != NULL || strstr(ae_last_error(), info.hash) != NULL,
        "names the model that is needed: %s", ae_last_error());

  for (int way = 0; way < 4; way++) {
    static const char *const ways[] = {"a folder on the context's model_path", "a file on it", "a folder in AE_MODEL_PATH",
                                       "a folder at the end of a list"};
    context = NULL;
    snprintf(list, sizeof list, "/none/at/all::%s/none.aew:%s", folder, folder);
    if (way == 0) context = context_of(folder);
    if (way == 1) context = context_of(file);
    if (way == 2) setenv("AE_MODEL_PATH", folder, 1);
    if (way == 3) context = context_of(list);
    if (check_status(ae_imageset_open_memory(context, bytes, size, NULL, &set), AE_OK, "%s is looked at", ways[way])) {
      ae_context_free(context);
      context = NULL;
      check(ae_imageset_read(set, 0, COUNT, images) == AE_OK, "and the set can be read");
      ae_imageset_free(set);
    }
    ae_context_free(context);
    unsetenv("AE_MODEL_PATH");
  }
  /* What is there and no model, or not the model, does no harm. */
  snprintf(list, sizeof list, "%s/broken.aew", folder);
  write_file(list, "no weights", 10);
  context = context_of(folder);
  check_status(ae_imageset_open_memory(context, bytes, size, NULL, &set), AE_OK, "a file beside it that is none is passed");
  ae_imageset_free(set);
  unlink(file);
  if (ae_model_save_file(vae, AE_STORAGE_FLOAT32, 0, file) != AE_OK) require(NULL);
  check_status(ae_imageset_open_memory(context, bytes, size, NULL, &set), AE_ERROR_MODEL, "another model is not taken for it");
  check_status(ae_model_default(context, "elu", &model), AE_ERROR_MODEL, "nor for one of another name");
  check(model == NULL, "and none is made");
  ae_context_free(context);
  unlink(list);
  unlink(file);
  rmdir(folder);
  free(bytes);
}

static const char *const defaults[] = {"digits-high", "digits-low", "exact", "mnist-30"};

static void test_default_models(void) {
  ae_model *model = NULL, *named = NULL;
  ae_context *context = context_of("models");
  ae_model_information info;
  info.struct_size = sizeof info;
  unsetenv("AE_MODEL_PATH");
  if (ae_model_default(NULL, NULL, &model) == AE_OK) {
    skip("a model that comes with the library is found beside it: that there is none cannot be tested");
    ae_model_free(model);
  } else {
    size_t size = 0;
    check(model == NULL && strstr(ae_last_error(), "digits-high") != NULL && strstr(ae_last_error(), "models") != NULL,
          "a model that is nowhere is named, and where it was looked for: %s", ae_last_error());
    check_status(ae_compress_bound(NULL, NULL, 9, NULL, &size), AE_ERROR_MODEL, "without it there is none to code by");
  }
  check_status(ae_model_default(NULL, "no such model", &model), AE_ERROR_MODEL, "a name that no model has");
  check(model == NULL && strstr(ae_last_error(), "no such model") != NULL, "is told: %s", ae_last_error());
  check_status(ae_model_default(context, "../models/exact", &model), AE_ERROR_MODEL, "a path is no name");
  check_status(ae_model_default(context, "", &model), AE_ERROR_MODEL, "nor is nothing");
  for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
    char path[100];
    snprintf(path, sizeof path, "models/%s.aew", defaults[i]);
    if (access(path, R_OK) != 0) {
      skip("%s is not there", path);
      continue;
    }
    if (ae_model_open(NULL, path, &named) != AE_OK || ae_model_info(named, &info) != AE_OK) require(NULL);
    if (check_status(ae_model_default(context, defaults[i], &model), AE_OK, "%s is found by a context", defaults[i])) {
      check(is_named(model, info.hash), "and is that");
      ae_model_free(model);
    }
    setenv("AE_MODEL_PATH", "/none:models", 1);
    if (check_status(ae_model_default(NULL, defaults[i], &model), AE_OK, "and by AE_MODEL_PATH")) {
      check(is_named(model, info.hash), "and is that");
      ae_model_free(model);
    }
    setenv("AE_MODEL_PATH", path, 1);
    if (check_status(ae_model_default(NULL, defaults[i], &model), AE_OK, "and by its file there")) ae_model_free(model);
    unsetenv("AE_MODEL_PATH");
    ae_model_free(named);
  }
  if (check_status(ae_model_default(context, NULL, &model), AE_OK, "NULL")) {
    if (ae_model_open(NULL, "models/digits-high.aew", &named) != AE_OK || ae_model_info(named, &info) != AE_OK) require(NULL);
    check(is_named(model, info.hash), "is digits-high");
    ae_model_free(named);
    ae_model_free(model);
  }
  ae_context_free(context);
}

/* One scale of qualities over the models that come with the library; sets find their model again. */
static void test_scale(void) {
  enum { FEW = 60, AREA = 28 * 28 };
  static uint8_t strokes[FEW * AREA], back[FEW * AREA];
  ae_context *context = context_of("models");
  const int32_t count = ae_quality_count(NULL, NULL);
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, "");
  ae_quality_information quality;
  double bytes = 0, psnr = 0;
  int defaults_seen = 0, rises = 1;
  size_t last_size = 0;
  for (int i = 0; i < FEW; i++)
    for (int p = 0; p < AREA; p++) {
      const int x = p % 28, y = p / 28, d = abs(x - 9 - i % 10 + (y - 14) * (i % 3 - 1) / 3);
      strokes[i * AREA + p] = (uint8_t)(y < 5 || y > 22 || d > 2 ? 0 : 255 - d * 60);
    }
  check(count > 3, "the scale has %d qualities", (int)count);
  for (int32_t q = 1; q <= count; q++) {
    quality.struct_size = sizeof quality;
    if (ae_quality_info(NULL, NULL, q, &quality) != AE_OK) {
      check(0, "quality %d of the scale: %s", (int)q, ae_last_error());
      break;
    }
    rises = rises && quality.bytes_per_image > bytes && quality.psnr > psnr && quality.model_name[0] != 0;
    bytes = quality.bytes_per_image;
    psnr = quality.psnr;
    defaults_seen += quality.is_default;
  }
  check(defaults_seen == 1, "one of them the default");
  if (bytes > 0)
    check(rises, "each larger and better than the one before");
  else
    skip("the models do not say what their qualities cost");
  check_status(ae_quality_info(NULL, NULL, 0, &quality), AE_ERROR_ARGUMENT, "quality 0 of it");
  check_status(ae_quality_info(NULL, NULL, count + 1, &quality), AE_ERROR_ARGUMENT, "one too many");
  if (access("models/digits-high.aew", R_OK) != 0 || access("models/digits-low.aew", R_OK) != 0) {
    skip("the models that come with the library are not there");
    ae_options_free(options);
    ae_context_free(context);
    return;
  }
  /* Images as the models like them, so that sets keep codes and not pixels. */
  {
    static float codes[FEW * 1024];
    ae_model *model = NULL;
    if (ae_model_default(context, NULL, &model) != AE_OK || ae_latent_size(model) > 1024) require(NULL);
    for (int i = 0; i < 3; i++)
      if (ae_encode_u8(NULL, model, strokes, FEW, codes) != AE_OK || ae_decode_u8(NULL, model, codes, FEW, strokes) != AE_OK)
        require(NULL);
    ae_model_free(model);
  }
  for (int32_t q = 1; q <= count; q++) {
    size_t size = 0;
    void *out;
    ae_imageset *set = NULL;
    if (ae_options_set_integer(options, "quality", q) != AE_OK ||
        ae_compress(context, NULL, strokes, FEW, NULL, options, NULL, 0, &size) != AE_OK) {
      check(0, "quality %d over all models: %s", (int)q, ae_last_error());
      continue;
    }
    out = require(malloc(size));
    if (check_status(ae_compress(context, NULL, strokes, FEW, NULL, options, out, size, &size), AE_OK,
                     "quality %d over all models: %zu bytes", (int)q, size) &&
        check_status(ae_imageset_open_memory(context, out, size, NULL, &set), AE_OK, "whose set finds its model")) {
      ae_quality_info(NULL, NULL, q, &quality);
      check(info_of(set).scale_quality == q && strcmp(info_of(set).model_name, quality.model_name) == 0 &&
                info_of(set).kept_count < FEW,
            "and says quality %d of %s (%d of %s)", (int)q, quality.model_name, (int)info_of(set).scale_quality,
            info_of(set).model_name);
      check(ae_imageset_read(set, 0, FEW, back) == AE_OK, "and is read");
      ae_imageset_free(set);
    }
    last_size = size;
    free(out);
  }
  check(last_size > 0, "the best of them takes %zu bytes", last_size);
  if (ae_options_set_integer(options, "quality", count + 1) == AE_OK)
    check_status(ae_compress_bound(context, NULL, FEW, options, &last_size), AE_ERROR_ARGUMENT, "a quality too high");
  ae_options_free(options);
  options = options_of(AE_OPTIONS_COMPRESSION, "width=7 height=4");
  check_status(ae_compress_bound(context, NULL, FEW, options, &last_size), AE_ERROR_SHAPE, "none of them codes 7 x 4");
  ae_options_free(options);
  ae_context_free(context);
}

void test_reading(void) {
  char *path = getenv("AE_MODEL_PATH");
  if (path != NULL) path = strcpy(require(malloc(strlen(path) + 1)), path);
  for (size_t i = 0; i < MANY; i++) {
    for (size_t p = 0; p < SIZE; p++) many[i * SIZE + p] = pixels[i % COUNT * SIZE + (p + i / COUNT) % SIZE];
    many_labels[i] = (uint8_t)(i * 3);
  }
  test_ranges(elu, "block_images=16");
  test_ranges(NULL, "mode=lossless method=contexts block_images=16 width=16 height=12");
  test_ranges(NULL, "mode=near-lossless max_error=2 method=contexts block_images=32 width=16 height=12");
  test_failures();
  test_readers();
  test_found_models();
  test_default_models();
  test_scale();
  if (path != NULL) setenv("AE_MODEL_PATH", path, 1);
  free(path);
}
