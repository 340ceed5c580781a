/* Image sets: every quality, random access, labels, the model that is needed, and damage. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint8_t images[COUNT * SIZE], others[COUNT * SIZE], read_labels[COUNT];
static float latents[COUNT * LATENTS];

static ae_compress_options defaults(void) {
  ae_compress_options options;
  if (ae_compress_options_init(&options, sizeof options) != AE_OK) require(NULL);
  return options;
}

typedef struct counted {
  uint64_t done, count;
  int calls, stop, is_sound;
} counted;

static int32_t on_count(void *context, uint64_t done, uint64_t count) {
  counted *c = context;
  c->is_sound = c->is_sound && done >= c->done && done <= count && (c->calls == 0 || count == c->count);
  c->done = done;
  c->count = count;
  c->calls++;
  return c->stop;
}

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
  ae_compress_options options = defaults();
  size_t last_size = 0;
  double last_error = 1e9;
  int grows = 1, improves = 1;
  model.struct_size = sizeof model;
  if (ae_model_info(elu, &model) != AE_OK) require(NULL);
  for (int quality = 1; quality <= model.quality_count; quality++) {
    ae_imageset *set = NULL;
    size_t bound = 0, size = 0;
    void *bytes;
    options.quality = quality;
    check_status(ae_compress(elu, pixels, COUNT, &options, NULL, 0, &bound), AE_OK, "quality %d: a bound", quality);
    bytes = compressed(elu, COUNT, &options, &size);
    check(size <= bound, "quality %d: %zu bytes for %d images, within the bound of %zu", quality, size, COUNT, bound);
    if (check_status(ae_imageset_open_memory(bytes, size, elu, &set), AE_OK, "quality %d: opens", quality)) {
      ae_imageset_information info = info_of(set);
      check(info.count == COUNT && info.width == WIDTH && info.height == HEIGHT && info.channels == 1 &&
                info.latent_size == LATENTS && info.quality == quality && info.block_images == 500 &&
                info.byte_count == size && info.kept_count <= COUNT && !info.has_labels && !info.has_names && !info.has_model &&
                strcmp(info.model_hash, model.hash) == 0 && strcmp(info.model_name, model.name) == 0,
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
  options.quality = model.quality_count + 1;
  check_status(ae_compress(elu, pixels, COUNT, &options, NULL, 0, &last_size), AE_ERROR_ARGUMENT, "a quality too high");
  options.quality = -1;
  check_status(ae_compress(elu, pixels, COUNT, &options, NULL, 0, &last_size), AE_ERROR_ARGUMENT, "quality -1");
}

static void test_options(void) {
  struct {
    ae_compress_options known;
    char later[8];
  } longer;
  ae_compress_options options = defaults();
  size_t size = 0;
  char room[64];
  check(options.struct_size == sizeof options && options.quality == 0 && options.embed_model == 0 &&
            options.block_images == 0 && options.labels == NULL,
        "the defaults are the header's");
  check_status(ae_compress_options_init(&options, 31), AE_ERROR_VERSION, "a struct too short");
  check_status(ae_compress_options_init(&options, SIZE_MAX), AE_ERROR_VERSION, "a struct of SIZE_MAX bytes");
  memset(&longer, 0xEE, sizeof longer);
  check_status(ae_compress_options_init(&longer.known, sizeof longer), AE_OK, "a struct of a later version");
  check_status(ae_compress(elu, pixels, 9, &longer.known, NULL, 0, &size), AE_OK, "is taken with later fields 0");
  longer.later[7] = 1;
  check_status(ae_compress(elu, pixels, 9, &longer.known, NULL, 0, &size), AE_ERROR_VERSION, "and refused with others");
  options = defaults();
  options.block_images = -1;
  check_status(ae_compress(elu, pixels, 9, &options, NULL, 0, &size), AE_ERROR_ARGUMENT, "blocks of -1 images");
  options.block_images = 65537;
  check_status(ae_compress(elu, pixels, 9, &options, NULL, 0, &size), AE_ERROR_ARGUMENT, "blocks of 65537 images");
  options = defaults();
  options.embed_model = 2;
  check_status(ae_compress(elu, pixels, 9, &options, NULL, 0, &size), AE_ERROR_ARGUMENT, "embed_model 2");
  options.struct_size = 3;
  check_status(ae_compress(elu, pixels, 9, &options, NULL, 0, &size), AE_ERROR_VERSION, "struct_size 3");
  check_status(ae_compress(elu, NULL, 1, NULL, NULL, 0, &size), AE_ERROR_ARGUMENT, "images NULL");
  check_status(ae_compress(elu, pixels, SIZE_MAX, NULL, NULL, 0, &size), AE_ERROR_ARGUMENT, "SIZE_MAX images");
  check_status(ae_compress(elu, pixels, SIZE_MAX / SIZE, NULL, NULL, 0, &size), AE_ERROR_ARGUMENT,
               "as many images as a size_t can count bytes of");
  check_status(ae_compress(elu, pixels, 9, NULL, NULL, 0, NULL), AE_ERROR_ARGUMENT, "size NULL");
  check_status(ae_compress(elu, pixels, COUNT, NULL, room, sizeof room, &size), AE_ERROR_BUFFER, "64 bytes of room");
  check(size > sizeof room, "and the size that is enough is told");
}

static void test_access(void) {
  ae_compress_options options = defaults();
  ae_imageset *set = NULL;
  ae_model *model = NULL, *integer = NULL;
  size_t size = 0, name_size = 0, file_size = 0;
  int same = 1;
  void *bytes, *file = saved(elu, AE_STORAGE_FLOAT32, 0, &file_size);
  options.block_images = 32;
  options.labels = labels;
  bytes = compressed(elu, COUNT, &options, &size);
  if (ae_model_open_memory(file, file_size, &model) != AE_OK ||
      !check_status(ae_imageset_open_memory(bytes, size, model, &set), AE_OK, "opens with the model"))
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
  if (ae_model_open_memory(file, file_size, &integer) != AE_OK) require(NULL);
  free(file);
  {
    ae_status status = ae_imageset_latents(set, 0, COUNT, latents);
    if (status == AE_ERROR_KIND) {
      skip("some images are kept as pixels, so that not all have codes: %s", ae_last_error());
    } else if (check_status(status, AE_OK, "gives the codes")) {
      if (ae_decode_u8(integer, latents, COUNT, others) != AE_OK) require(NULL);
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
  check_status(ae_encode((const ae_model *)set, latents, 1, latents), AE_ERROR_ARGUMENT, "a set is no model");
  check_status(ae_imageset_read((const ae_imageset *)elu, 0, 1, images), AE_ERROR_ARGUMENT, "a model is no set");
  ae_imageset_free(set);
}

static void test_models_needed(void) {
  ae_compress_options options = defaults();
  ae_imageset *set = NULL;
  size_t size = 0, embedded_size = 0;
  void *bytes = compressed(elu, COUNT, &options, &size), *embedded;
  check_status(ae_imageset_open_memory(bytes, size, NULL, &set), AE_ERROR_MODEL, "a set without its model");
  check(strstr(ae_last_error(), "elu") != NULL, "names it: %s", ae_last_error());
  check_status(ae_imageset_open_memory(bytes, size, vae, &set), AE_ERROR_MODEL, "a set with another model");
  check(set == NULL, "gives no handle");
  if (ae_imageset_open_memory(bytes, size, elu, &set) != AE_OK ||
      ae_imageset_read(set, 0, COUNT, images) != AE_OK)
    require(NULL);
  ae_imageset_free(set);
  options.embed_model = 1;
  embedded = compressed(elu, COUNT, &options, &embedded_size);
  check(embedded_size > size, "an embedded model takes room (%zu bytes)", embedded_size - size);
  if (check_status(ae_imageset_open_memory(embedded, embedded_size, NULL, &set), AE_OK, "and needs no other")) {
    check(info_of(set).has_model == 1, "says so");
    check_status(ae_imageset_read(set, 0, COUNT, others), AE_OK, "reads");
    check(memcmp(images, others, sizeof images) == 0, "to the same pixels");
    ae_imageset_free(set);
  }
  free(bytes);
  free(embedded);
}

/* The last byte of the last block, if there are no labels, names and model: the footer says where the index begins. */
static uint8_t *last_byte_before_index(uint8_t *bytes, size_t size) {
  const uint8_t *footer = bytes + size - 20;
  return bytes + (footer[0] | (size_t)footer[1] << 8 | (size_t)footer[2] << 16) - 1;
}

static void test_damage(void) {
  ae_compress_options options = defaults();
  ae_imageset *set = NULL;
  size_t size = 0;
  uint8_t *bytes;
  char path[] = "/tmp/libae-conformance-XXXXXX";
  int file = mkstemp(path);
  options.block_images = 50;
  bytes = compressed(elu, COUNT, &options, &size);
  *last_byte_before_index(bytes, size) ^= 0x20; /* in the last block */
  if (file < 0 || write(file, bytes, size) != (ssize_t)size || close(file) != 0) require(NULL);
  if (check_status(ae_imageset_open(path, elu, &set), AE_OK, "a set with a damaged block opens from a file")) {
    check_status(ae_imageset_read(set, 0, 250, images), AE_OK, "what lies before it reads");
    check_status(ae_imageset_read(set, 0, COUNT, images), AE_ERROR_CHECKSUM, "what lies in it does not");
    check(strstr(ae_last_error(), "250") && strstr(ae_last_error(), "299"), "and the lost are named: %s",
          ae_last_error());
    check_status(ae_imageset_latents(set, 299, 1, latents), AE_ERROR_CHECKSUM, "nor does its code");
    ae_imageset_free(set);
  }
  unlink(path);
  check_status(ae_imageset_open(path, elu, &set), AE_ERROR_IO, "a set that is not there");
  free(bytes);

  options = defaults();
  bytes = compressed(elu, 0, &options, &size);
  if (check_status(ae_imageset_open_memory(bytes, size, elu, &set), AE_OK, "a set of no images opens")) {
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
  a = compressed(elu, COUNT, NULL, &one);
  ae_set_threads(2);
  b = compressed(elu, COUNT, NULL, &two);
  check(one == two && memcmp(a, b, one) == 0, "one thread and two write the same bytes");
  free(a);
  free(b);
}

/* Exact and near-exact sets: with the model, with another size, and without a model. */
static void test_exact(void) {
  ae_compress_options options = defaults();
  size_t size = 0, bound = 0, lost_count = 9;
  ae_imageset *set = NULL;
  uint8_t lost[COUNT];
  uint8_t *bytes;
  options.layer = AE_LAYER_EXACT;
  options.block_images = 16;
  bytes = compressed(elu, COUNT, &options, &size);
  check_status(ae_compress_bound(elu, COUNT, &options, &bound), AE_OK, "a bound without images");
  check(size <= bound && bound <= COUNT * SIZE + 1000, "exact: %zu bytes within the bound of %zu", size, bound);
  if (check_status(ae_imageset_open_memory(bytes, size, NULL, &set), AE_OK, "an exact set without network needs no model")) {
    ae_imageset_information info = info_of(set);
    check(info.layer == AE_LAYER_EXACT && info.max_error == 0 && !info.needs_model, "tells that it is exact");
    check_status(ae_imageset_read(set, 0, COUNT, images), AE_OK, "reads");
    check(memcmp(images, pixels, COUNT * SIZE) == 0, "every pixel comes back");
    check_status(ae_imageset_salvage(set, 0, COUNT, NULL, lost, &lost_count), AE_OK, "is checked");
    check(lost_count == 0 && !memchr(lost, 1, COUNT), "and nothing is lost");
    check_status(ae_imageset_latents(set, 0, 1, latents), AE_ERROR_KIND, "it has no codes");
    check_status(ae_imageset_salvage(set, COUNT, 1, NULL, lost, NULL), AE_ERROR_ARGUMENT, "an image beyond the last");
    info.struct_size = 200;
    check_status(ae_imageset_info(set, &info), AE_ERROR_VERSION, "information shorter than its first version");
  }
  ae_imageset_free(set);
  *last_byte_before_index(bytes, size) ^= 1;
  if (check_status(ae_imageset_open_memory(bytes, size, NULL, &set), AE_OK, "a damaged block opens")) {
    const size_t first = (COUNT - 1) / 16 * 16;
    check_status(ae_imageset_salvage(set, 0, COUNT, images, lost, &lost_count), AE_OK, "is salvaged");
    check(lost_count == COUNT - first && !memchr(lost, 1, first) && lost[first] == 1 && lost[COUNT - 1] == 1,
          "and names the images of the block");
    check(memcmp(images, pixels, first * SIZE) == 0 && images[first * SIZE] == 0, "all else comes back");
    check_status(ae_imageset_read(set, 0, COUNT, images), AE_ERROR_CHECKSUM, "reading them is an error");
  }
  ae_imageset_free(set);
  free(bytes);

  options.layer = AE_LAYER_NEAR_EXACT;
  check_status(ae_compress_bound(elu, COUNT, &options, &bound), AE_ERROR_ARGUMENT, "near-exact to within 0");
  options.max_error = 33;
  check_status(ae_compress_bound(elu, COUNT, &options, &bound), AE_ERROR_ARGUMENT, "near-exact to within 33");
  options.max_error = 5;
  bytes = compressed(elu, COUNT, &options, &size);
  if (check_status(ae_imageset_open_memory(bytes, size, NULL, &set), AE_OK, "a near-exact set opens")) {
    int most = 0;
    check_status(ae_imageset_read(set, 0, COUNT, images), AE_OK, "reads");
    for (size_t i = 0; i < COUNT * SIZE; i++) {
      const int off = abs(images[i] - pixels[i]);
      if (off > most) most = off;
    }
    check(most > 0 && most <= 5, "no pixel is off by more than 5: %d", most);
  }
  ae_imageset_free(set);
  free(bytes);

  options.layer = AE_LAYER_EXACT;
  options.max_error = 0;
  check_status(ae_compress(NULL, pixels, 4, &options, NULL, 0, &bound), AE_ERROR_ARGUMENT, "no model and no size");
  options.width = 7;
  options.height = 4;
  check_status(ae_compress(NULL, pixels, 4, &options, NULL, 0, &bound), AE_OK, "no model, but a size");
  bytes = malloc(bound);
  if (bytes == NULL) require(NULL);
  check_status(ae_compress(NULL, pixels, 4, &options, bytes, bound, &size), AE_OK, "images of 7 x 4");
  if (check_status(ae_imageset_open_memory(bytes, size, NULL, &set), AE_OK, "open")) {
    check_status(ae_imageset_read(set, 0, 4, images), AE_OK, "and read");
    check(memcmp(images, pixels, 4 * 28) == 0, "as they were");
  }
  ae_imageset_free(set);
  free(bytes);
  options.width = 65;
  check_status(ae_compress(NULL, pixels, 1, &options, NULL, 0, &bound), AE_ERROR_ARGUMENT, "a width of 65");
  options = defaults();
  options.effort = 1;
  check_status(ae_compress_bound(elu, 1, &options, &bound), AE_ERROR_ARGUMENT, "an effort for codes");
  options = defaults();
  options.struct_size = 32;
  check_status(ae_compress_bound(elu, 1, &options, &bound), AE_ERROR_VERSION, "a struct shorter than its first version");
}

/* Packing tells how far it is, and stops when it is asked to. */
static void test_progress(void) {
  ae_compress_options options;
  counted c = {0, 0, 0, 0, 1};
  size_t count = 4000, bound = 0, size = 0;
  uint8_t *images = require(malloc(count * SIZE)), *bytes;
  uint32_t noise = 1;
  for (size_t i = 0; i < count * SIZE; i++) images[i] = (uint8_t)((noise = noise * 1664525 + 1013904223) >> 24);
  ae_compress_options_init(&options, sizeof options);
  check(options.progress == NULL && options.context == NULL, "nobody is told by default");
  options.layer = AE_LAYER_EXACT;
  options.progress = on_count;
  options.context = &c;
  if (ae_compress(elu, images, count, &options, NULL, 0, &bound) != AE_OK) require(NULL);
  bytes = require(malloc(bound));
  check_status(ae_compress(elu, images, count, &options, bytes, bound, &size), AE_OK, "packs and tells");
  check(c.calls >= 1 && c.is_sound && c.count == count, "of so many images, never fewer (%d calls)", c.calls);
  c.stop = 1;
  c.done = 0;
  c.calls = 0;
  check_status(ae_compress(elu, images, count, &options, bytes, bound, &size), AE_ERROR_STOPPED, "stops when asked");
  check(c.calls == 1 && c.done < count, "at once, after %d images", (int)c.done);
  free(bytes);
  free(images);
}

void test_image_sets(void) {
  test_exact();
  test_qualities();
  test_progress();
  test_options();
  test_access();
  test_models_needed();
  test_damage();
  test_threads();
}
