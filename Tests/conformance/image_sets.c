/* Image sets: every quality, random access, labels, the model that is needed, and damage. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint8_t images[COUNT * SIZE], others[COUNT * SIZE], read_labels[COUNT];
static float latents[COUNT * LATENTS];

static ae_imageset_information info_of(const ae_imageset *set) {
  ae_imageset_information info;
  memset(&info, 0xEE, sizeof info);
  info.struct_size = sizeof info;
  if (ae_imageset_info(set, &info) != AE_OK) require(NULL);
  return info;
}

static double squared_error(const uint8_t *a) {
  double sum = 0;
  for (size_t i = 0; i < COUNT * SIZE; i++) sum += (a[i] - pixels[i]) * (double)(a[i] - pixels[i]);
  return sum / (COUNT * SIZE);
}

static void test_qualities(void) {
  ae_model_information model;
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, "");
  size_t last_size = 0;
  double last_error = 1e9;
  int grows = 1, improves = 1;
  model.struct_size = sizeof model;
  if (ae_model_info(elu, &model) != AE_OK) require(NULL);
  for (int quality = 1; quality <= model.quality_count; quality++) {
    ae_imageset *set = NULL;
    size_t bound = 0, size = 0;
    char text[40];
    void *bytes;
    snprintf(text, sizeof text, "quality=%d", quality);
    set_options(options, text);
    check_status(ae_compress(NULL, elu, pixels, COUNT, NULL, options, NULL, 0, &bound), AE_OK, "quality %d: a bound", quality);
    bytes = compressed(elu, COUNT, NULL, text, &size);
    check(size <= bound, "quality %d: %zu bytes for %d images, within the bound of %zu", quality, size, COUNT, bound);
    if (check_status(ae_imageset_open_memory(NULL, bytes, size, elu, &set), AE_OK, "quality %d: opens", quality)) {
      ae_imageset_information info = info_of(set);
      check(info.count == COUNT && info.width == WIDTH && info.height == HEIGHT && info.channels == 1 &&
                info.latent_size == LATENTS && info.quality == quality && info.block_images == 500 &&
                info.byte_count == size && info.kept_count <= COUNT && !info.has_labels && !info.has_names && !info.has_model &&
                strcmp(info.model_hash, model.hash) == 0 && strcmp(info.model_name, model.name) == 0 &&
                info.mode == AE_MODE_LOSSY && info.method == 0 && info.max_error == 0 && info.needs_model == 1 &&
                info.scale_quality == 0,
            "quality %d: tells all about itself", quality);
      check_status(ae_imageset_read(set, 0, COUNT, images), AE_OK, "quality %d: reads", quality);
      if (size < last_size) grows = 0;
      if (squared_error(images) > last_error * 1.02) improves = 0;
      last_size = size;
      last_error = squared_error(images);
    }
    ae_imageset_free(set);
    free(bytes);
  }
  check(grows, "a higher quality takes no fewer bytes");
  check(improves, "and loses no more");
  if (ae_options_set_integer(options, "quality", model.quality_count + 1) != AE_OK) require(NULL);
  check_status(ae_compress(NULL, elu, pixels, COUNT, NULL, options, NULL, 0, &last_size), AE_ERROR_ARGUMENT,
               "a quality too high");
  check_status(ae_compress_bound(NULL, elu, COUNT, options, &last_size), AE_ERROR_ARGUMENT, "has no bound, either");
  ae_options_free(options);
}

static void test_arguments(void) {
  ae_options *training = options_of(AE_OPTIONS_TRAINING, "");
  size_t size = 0;
  char room[64];
  check_status(ae_compress(NULL, elu, pixels, 9, NULL, training, NULL, 0, &size), AE_ERROR_ARGUMENT,
               "options of training");
  check_status(ae_compress_bound(NULL, elu, 9, training, &size), AE_ERROR_ARGUMENT, "for a bound");
  ae_options_free(training);
  check_status(ae_compress(NULL, elu, pixels, 9, NULL, training, NULL, 0, &size), AE_ERROR_ARGUMENT,
               "options that were freed");
  check_status(ae_compress(NULL, elu, pixels, 9, NULL, (const ae_options *)elu, NULL, 0, &size), AE_ERROR_ARGUMENT,
               "a model for options");
  check_status(ae_compress(NULL, elu, NULL, 1, NULL, NULL, NULL, 0, &size), AE_ERROR_ARGUMENT, "images NULL");
  check_status(ae_compress(NULL, elu, pixels, SIZE_MAX, NULL, NULL, NULL, 0, &size), AE_ERROR_ARGUMENT,
               "SIZE_MAX images");
  check_status(ae_compress(NULL, elu, pixels, SIZE_MAX / SIZE, NULL, NULL, NULL, 0, &size), AE_ERROR_ARGUMENT,
               "as many images as a size_t can count bytes of");
  check_status(ae_compress_bound(NULL, elu, SIZE_MAX / SIZE, NULL, &size), AE_ERROR_ARGUMENT, "have no bound");
  check_status(ae_compress(NULL, elu, pixels, 9, NULL, NULL, NULL, 0, NULL), AE_ERROR_ARGUMENT, "size NULL");
  check_status(ae_compress_bound(NULL, elu, 9, NULL, NULL), AE_ERROR_ARGUMENT, "a bound into NULL");
  check_status(ae_compress(NULL, elu, pixels, COUNT, NULL, NULL, room, sizeof room, &size), AE_ERROR_BUFFER,
               "64 bytes of room");
  check(size > sizeof room, "and the size that is enough is told");
  check_status(ae_compress(NULL, elu, NULL, 0, NULL, NULL, room, sizeof room, &size), AE_ERROR_BUFFER,
               "no images take more than 64 bytes");
}

/* What does not go together, and ranges: each is refused, and named. */
static void test_combinations(void) {
  static const struct {
    const char *options, *says;
  } wrong[] = {{"mode=near-lossless", "max_error"},
               {"mode=near-lossless max_error=0", "max_error"},
               {"mode=lossy method=contexts", "method"},
               {"mode=lossy max_error=3", "max_error"},
               {"mode=lossless max_error=3", "max_error"},
               {"mode=lossless quality=2", "quality"},
               {"mode=lossy preview=true", "preview"},
               {"mode=lossless bytes_per_image=9", "bytes_per_image"},
               {"bytes_per_image=9 quality=2", "bytes_per_image"},
               {"width=7", "16"},
               {"width=7 height=12", "16"}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    ae_options *options = options_of(AE_OPTIONS_COMPRESSION, wrong[i].options);
    size_t size = 0;
    const ae_status status = ae_compress_bound(NULL, elu, 4, options, &size);
    check((status == AE_ERROR_ARGUMENT || status == AE_ERROR_SHAPE) && strstr(ae_last_error(), wrong[i].says) != NULL,
          "%s is refused: %s", wrong[i].options, status == AE_OK ? "it is not" : ae_last_error());
    ae_options_free(options);
  }
}

static void test_access(void) {
  ae_imageset *set = NULL;
  ae_model *model = NULL, *integer = NULL;
  size_t size = 0, name_size = 0, file_size = 0;
  int same = 1;
  void *bytes, *file = saved(elu, AE_STORAGE_FLOAT32, 0, &file_size);
  bytes = compressed(elu, COUNT, labels, "block_images=32", &size);
  if (ae_model_open_memory(NULL, file, file_size, &model) != AE_OK ||
      !check_status(ae_imageset_open_memory(NULL, bytes, size, model, &set), AE_OK, "opens with the model"))
    require(NULL);
  ae_model_free(model); /* the set keeps what it needs */
  memset(bytes, 0, size);
  free(bytes);
  free(file);
  check_status(ae_imageset_read(set, 0, COUNT, images), AE_OK, "reads all, model and bytes gone");
  for (size_t i = 0; i < COUNT && same; i++)
    same = ae_imageset_read(set, i, 1, others) == AE_OK && memcmp(others, images + i * SIZE, SIZE) == 0;
  check(same, "every image alone is the same");
  check_status(ae_imageset_read(set, 30, 70, others), AE_OK, "a range across blocks");
  check(memcmp(others, images + 30 * SIZE, 70 * SIZE) == 0, "is the same, too");

  file = saved(elu, AE_STORAGE_INT8, 0, &file_size);
  if (ae_model_open_memory(NULL, file, file_size, &integer) != AE_OK) require(NULL);
  free(file);
  {
    ae_status status = ae_imageset_latents(set, 0, COUNT, latents);
    if (status == AE_ERROR_KIND) {
      skip("some images are kept as pixels, so that not all have codes: %s", ae_last_error());
    } else if (check_status(status, AE_OK, "gives the codes")) {
      if (ae_decode_u8(NULL, integer, latents, COUNT, others) != AE_OK) require(NULL);
      check(memcmp(others, images, sizeof images) == 0, "which the int8 model decodes to the same bytes");
    }
  }
  ae_model_free(integer);

  check_status(ae_imageset_labels(set, 0, COUNT, read_labels), AE_OK, "gives the labels");
  check(memcmp(read_labels, labels, COUNT) == 0, "as they went in");
  check_status(ae_imageset_labels(set, 299, 1, read_labels), AE_OK, "or one of them");
  check(read_labels[0] == labels[299], "the right one");
  check_status(ae_imageset_labels(set, 299, 2, read_labels), AE_ERROR_ARGUMENT, "not beyond the end");
  check_status(ae_imageset_name(set, 0, NULL, 0, &name_size), AE_ERROR_KIND, "has no names");

  check_status(ae_imageset_read(set, 0, 0, NULL), AE_OK, "nothing from the start");
  check_status(ae_imageset_read(set, COUNT, 0, NULL), AE_OK, "nothing from the end");
  check_status(ae_imageset_read(set, COUNT + 1, 0, NULL), AE_ERROR_ARGUMENT, "nothing from beyond it");
  check_status(ae_imageset_read(set, COUNT, 1, images), AE_ERROR_ARGUMENT, "one too many");
  check_status(ae_imageset_read(set, 1, COUNT, images), AE_ERROR_ARGUMENT, "all from the second");
  check_status(ae_imageset_read(set, UINT64_MAX, 1, images), AE_ERROR_ARGUMENT, "from UINT64_MAX");
  check_status(ae_imageset_read(set, (uint64_t)1 << 63, 1, images), AE_ERROR_ARGUMENT, "from 2^63");
  check_status(ae_imageset_read(set, INT64_MAX, 1, images), AE_ERROR_ARGUMENT, "from INT64_MAX");
  check_status(ae_imageset_read(set, 0, SIZE_MAX, images), AE_ERROR_ARGUMENT, "SIZE_MAX images");
  check_status(ae_imageset_read(set, 0, 1, NULL), AE_ERROR_ARGUMENT, "into NULL");
  check_status(ae_imageset_latents(set, 1, SIZE_MAX / 2, latents), AE_ERROR_ARGUMENT, "SIZE_MAX / 2 codes");
  check_status(ae_imageset_labels(set, UINT64_MAX, SIZE_MAX, read_labels), AE_ERROR_ARGUMENT, "absurd labels");
  {
    ae_imageset_information info = info_of(set);
    check(info.has_labels == 1 && info.block_images == 32, "says that it has labels");
    info.struct_size = 8;
    check_status(ae_imageset_info(set, &info), AE_ERROR_VERSION, "struct_size 8");
  }
  check_status(ae_encode(NULL, (const ae_model *)set, latents, 1, latents), AE_ERROR_ARGUMENT, "a set is no model");
  check_status(ae_imageset_read((const ae_imageset *)elu, 0, 1, images), AE_ERROR_ARGUMENT, "a model is no set");
  ae_imageset_free(set);
}

static void test_models_needed(void) {
  ae_imageset *set = NULL;
  size_t size = 0, embedded_size = 0;
  void *bytes = compressed(elu, COUNT, NULL, "", &size), *embedded;
  check_status(ae_imageset_open_memory(NULL, bytes, size, NULL, &set), AE_ERROR_MODEL, "a set without its model");
  check(strstr(ae_last_error(), "elu") != NULL, "names it: %s", ae_last_error());
  check_status(ae_imageset_open_memory(NULL, bytes, size, vae, &set), AE_ERROR_MODEL, "a set with another model");
  check(set == NULL, "gives no handle");
  if (ae_imageset_open_memory(NULL, bytes, size, elu, &set) != AE_OK ||
      ae_imageset_read(set, 0, COUNT, images) != AE_OK)
    require(NULL);
  ae_imageset_free(set);
  embedded = compressed(elu, COUNT, NULL, "embed_model=true", &embedded_size);
  check(embedded_size > size, "an embedded model takes room (%zu bytes)", embedded_size - size);
  if (check_status(ae_imageset_open_memory(NULL, embedded, embedded_size, NULL, &set), AE_OK, "and needs no other")) {
    check(info_of(set).has_model == 1, "says so");
    check_status(ae_imageset_read(set, 0, COUNT, others), AE_OK, "reads");
    check(memcmp(images, others, sizeof images) == 0, "to the same pixels");
    ae_imageset_free(set);
  }
  free(bytes);
  free(embedded);
}

static void test_damage(void) {
  ae_imageset *set = NULL;
  size_t size = 0;
  uint8_t *bytes, *fewer;
  size_t fewer_size = 0;
  char path[] = "/tmp/libae-conformance-XXXXXX";
  int file = mkstemp(path);
  bytes = compressed(elu, COUNT, NULL, "block_images=50", &size);
  fewer = compressed(elu, COUNT - 50, NULL, "block_images=50", &fewer_size);
  bytes[in_last_block(bytes, size, fewer, fewer_size)] ^= 0x20;
  free(fewer);
  if (file < 0 || write(file, bytes, size) != (ssize_t)size || close(file) != 0) require(NULL);
  if (check_status(ae_imageset_open(NULL, path, elu, &set), AE_OK, "a set with a damaged block opens from a file")) {
    check_status(ae_imageset_read(set, 0, 250, images), AE_OK, "what lies before it reads");
    check_status(ae_imageset_read(set, 0, COUNT, images), AE_ERROR_CHECKSUM, "what lies in it does not");
    check(strstr(ae_last_error(), "250") && strstr(ae_last_error(), "299"), "and the lost are named: %s",
          ae_last_error());
    check_status(ae_imageset_latents(set, 299, 1, latents), AE_ERROR_CHECKSUM, "nor does its code");
    ae_imageset_free(set);
  }
  unlink(path);
  check_status(ae_imageset_open(NULL, path, elu, &set), AE_ERROR_IO, "a set that is not there");
  free(bytes);

  bytes = compressed(elu, 0, NULL, "", &size);
  if (check_status(ae_imageset_open_memory(NULL, bytes, size, elu, &set), AE_OK, "a set of no images opens")) {
    check(info_of(set).count == 0, "and has none");
    check_status(ae_imageset_read(set, 0, 0, NULL), AE_OK, "which it gives");
    check_status(ae_imageset_read(set, 0, 1, images), AE_ERROR_ARGUMENT, "and no more");
    ae_imageset_free(set);
  }
  free(bytes);
}

static void test_threads(void) {
  size_t one = 0, two = 0;
  void *a, *b;
  ae_set_threads(1);
  a = compressed(elu, COUNT, NULL, "", &one);
  ae_set_threads(2);
  b = compressed(elu, COUNT, NULL, "", &two);
  check(one == two && memcmp(a, b, one) == 0, "one thread and two write the same bytes");
  free(a);
  free(b);
}

/* Lossless and near-lossless sets: with the model, with another size, and without a model. */
static void test_lossless(void) {
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, "mode=lossless method=contexts block_images=16");
  const size_t first = (COUNT - 1) / 16 * 16;
  size_t size = 0, fewer_size = 0, bound = 0, lost_count = 9;
  ae_imageset *set = NULL;
  uint8_t lost[COUNT];
  uint8_t *bytes = compressed(elu, COUNT, NULL, "mode=lossless method=contexts block_images=16", &size);
  uint8_t *fewer = compressed(elu, first, NULL, "mode=lossless method=contexts block_images=16", &fewer_size);
  check_status(ae_compress_bound(NULL, elu, COUNT, options, &bound), AE_OK, "a bound without images");
  check(size <= bound && bound <= COUNT * SIZE + 1000, "lossless: %zu bytes within the bound of %zu", size, bound);
  if (check_status(ae_imageset_open_memory(NULL, bytes, size, NULL, &set), AE_OK,
                   "a lossless set needs no model but one that comes with libae")) {
    ae_imageset_information info = info_of(set);
    check(info.mode == AE_MODE_LOSSLESS && info.max_error == 0 && info.needs_model == (info.needs_predictor != 0) &&
              info.method == (info.needs_predictor ? AE_METHOD_PREDICTED : AE_METHOD_CONTEXTS) &&
              info.scale_quality == 0,
          "tells that it is lossless");
    check((info.predictor_name[0] != 0) == (info.needs_predictor != 0) &&
              (strspn(info.predictor_hash, "0") == 64) == !info.needs_predictor,
          "and whose predictor it needs: \"%s\", %s", info.predictor_name, info.predictor_hash);
    check_status(ae_imageset_read(set, 0, COUNT, images), AE_OK, "reads");
    check(memcmp(images, pixels, COUNT * SIZE) == 0, "every pixel comes back");
    check_status(ae_imageset_salvage(set, 0, COUNT, NULL, lost, &lost_count), AE_OK, "is checked");
    check(lost_count == 0 && !memchr(lost, 1, COUNT), "and nothing is lost");
    check_status(ae_imageset_latents(set, 0, 1, latents), AE_ERROR_KIND, "it has no codes");
    check_status(ae_imageset_salvage(set, COUNT, 1, NULL, lost, NULL), AE_ERROR_ARGUMENT, "an image beyond the last");
    info.struct_size = 232 - 8;
    check_status(ae_imageset_info(set, &info), AE_ERROR_VERSION, "information shorter than its first version");
  }
  ae_imageset_free(set);
  bytes[in_last_block(bytes, size, fewer, fewer_size)] ^= 1;
  if (check_status(ae_imageset_open_memory(NULL, bytes, size, NULL, &set), AE_OK, "a damaged block opens")) {
    check_status(ae_imageset_salvage(set, 0, COUNT, images, lost, &lost_count), AE_OK, "is salvaged");
    check(lost_count == COUNT - first && !memchr(lost, 1, first) && lost[first] == 1 && lost[COUNT - 1] == 1,
          "and names the images of the block");
    check(memcmp(images, pixels, first * SIZE) == 0 && images[first * SIZE] == 0, "all else comes back");
    check_status(ae_imageset_read(set, 0, COUNT, images), AE_ERROR_CHECKSUM, "reading them is an error");
  }
  ae_imageset_free(set);
  free(bytes);
  free(fewer);
  ae_options_free(options);

  bytes = compressed(elu, COUNT, NULL, "mode=near-lossless max_error=5 method=contexts", &size);
  if (check_status(ae_imageset_open_memory(NULL, bytes, size, NULL, &set), AE_OK, "a near-lossless set opens")) {
    int most = 0;
    ae_imageset_information info = info_of(set);
    check(info.mode == AE_MODE_NEAR_LOSSLESS && info.max_error == 5, "and says to within how much");
    check_status(ae_imageset_read(set, 0, COUNT, images), AE_OK, "reads");
    for (size_t i = 0; i < COUNT * SIZE; i++) {
      const int off = abs(images[i] - pixels[i]);
      if (off > most) most = off;
    }
    check(most > 0 && most <= 5, "no pixel is off by more than 5: %d", most);
  }
  ae_imageset_free(set);
  free(bytes);
}

/* Without a model: any size, 28 x 28 unless told. */
static void test_no_model(void) {
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, "mode=lossless width=7 height=4");
  ae_imageset *set = NULL;
  size_t bound = 0, size = 0;
  uint8_t *bytes;
  check_status(ae_compress(NULL, NULL, pixels, 4, NULL, options, NULL, 0, &bound), AE_OK, "no model, but a size");
  bytes = require(malloc(bound));
  check_status(ae_compress(NULL, NULL, pixels, 4, NULL, options, bytes, bound, &size), AE_OK, "images of 7 x 4");
  if (check_status(ae_imageset_open_memory(NULL, bytes, size, NULL, &set), AE_OK, "open")) {
    check_status(ae_imageset_read(set, 0, 4, images), AE_OK, "and read");
    check(memcmp(images, pixels, 4 * 28) == 0, "as they were");
  }
  ae_imageset_free(set);
  free(bytes);
  ae_options_free(options);

  options = options_of(AE_OPTIONS_COMPRESSION, "mode=lossless method=contexts");
  check_status(ae_compress_bound(NULL, NULL, 5, options, &bound), AE_OK, "neither model nor size");
  bytes = require(malloc(bound));
  check_status(ae_compress(NULL, NULL, pixels, 5, NULL, options, bytes, bound, &size), AE_OK, "are 28 x 28 pixels");
  if (check_status(ae_imageset_open_memory(NULL, bytes, size, NULL, &set), AE_OK, "which open")) {
    check(info_of(set).width == 28 && info_of(set).height == 28, "and say so");
    check_status(ae_imageset_read(set, 0, 5, images), AE_OK, "and read");
    check(memcmp(images, pixels, 5 * 28 * 28) == 0, "as they were");
  }
  ae_imageset_free(set);
  free(bytes);
  ae_options_free(options);
}

/* Sets that hold codes beside every pixel, as previews. */
static void test_preview(void) {
  ae_imageset *set = NULL;
  size_t size = 0;
  void *bytes = compressed(elu, COUNT, labels, "mode=lossless method=contexts preview=true quality=2 block_images=64", &size);
  if (check_status(ae_imageset_open_memory(NULL, bytes, size, elu, &set), AE_OK, "a lossless set with a preview opens")) {
    const ae_imageset_information info = info_of(set);
    check(info.mode == AE_MODE_LOSSLESS && info.quality == 2 && info.latent_size == LATENTS, "and tells of its codes");
    check(ae_imageset_read(set, 0, COUNT, images) == AE_OK && memcmp(images, pixels, sizeof images) == 0,
          "every pixel comes back");
    check_status(ae_imageset_latents(set, 0, COUNT, latents), AE_OK, "as do the codes");
    ae_imageset_free(set);
  }
  free(bytes);
}

/* A number of bytes for each image, instead of a quality. */
static void test_rate(void) {
  size_t smallest = 0, largest = 0, size = 0;
  char text[60];
  ae_model_information model;
  model.struct_size = sizeof model;
  if (ae_model_info(elu, &model) != AE_OK) require(NULL);
  snprintf(text, sizeof text, "quality=%d", model.quality_count);
  free(compressed(elu, COUNT, NULL, "quality=1", &smallest));
  free(compressed(elu, COUNT, NULL, text, &largest));
  snprintf(text, sizeof text, "bytes_per_image=%.3f", (double)largest / COUNT + 1);
  free(compressed(elu, COUNT, NULL, text, &size));
  check(size <= largest + COUNT && size >= smallest, "%s: %zu bytes of %d images (%zu at the best quality)", text, size,
        COUNT, largest);
  snprintf(text, sizeof text, "bytes_per_image=%.3f", (double)smallest / COUNT);
  free(compressed(elu, COUNT, NULL, text, &size));
  check(size <= largest, "%s: %zu bytes (%zu at the smallest quality)", text, size, smallest);
}

void test_image_sets(void) {
  test_preview();
  test_rate();
  test_lossless();
  test_no_model();
  test_qualities();
  test_arguments();
  test_combinations();
  test_access();
  test_models_needed();
  test_damage();
  test_threads();
}
