/*
 * Files that were cut short or changed: every length and every bit of a small weight file, image set and
 * checkpoint. None may be taken for sound, and none may end the process.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 6, AREA = SIDE * SIDE, TINY_COUNT = 40, TINY_LATENTS = 2 };

static uint8_t tiny_pixels[TINY_COUNT * AREA], tiny_labels[TINY_COUNT], out[TINY_COUNT * AREA];
static float latents[TINY_COUNT * TINY_LATENTS];
static ae_model *tiny;
static ae_trainer *trainer;

static void make_tiny(void) {
  for (int i = 0; i < TINY_COUNT; i++) {
    tiny_labels[i] = (uint8_t)(i % 10);
    for (int j = 0; j < AREA; j++)
      tiny_pixels[i * AREA + j] = (uint8_t)((j / SIDE == i % SIDE) * 200 + (j % SIDE == i % 5) * 55);
  }
  trainer = trainer_of(AE_KIND_ELU, "width=6 height=6 latent_size=2 hidden=4 steps=100 batch_size=10");
  if (ae_trainer_fit(trainer, tiny_pixels, TINY_COUNT) != AE_OK ||
      ae_trainer_model(trainer, tiny_pixels, TINY_COUNT, &tiny) != AE_OK)
    require(NULL);
}

/* Whether a file is refused, by opening it or by using all of it. */
typedef int (*refuses)(const void *bytes, size_t size);

static int refuses_model(const void *bytes, size_t size) {
  ae_model *model = NULL;
  int refused = ae_model_open_memory(NULL, bytes, size, &model) != AE_OK;
  if (!refused && ae_input_size(model) == AREA && ae_latent_size(model) == TINY_LATENTS) {
    refused = ae_encode_u8(NULL, model, tiny_pixels, 1, latents) != AE_OK ||
              ae_decode_u8(NULL, model, latents, 1, out) != AE_OK;
  }
  ae_model_free(model);
  return refused;
}

static int refuses_set(const void *bytes, size_t size) {
  ae_imageset *set = NULL;
  ae_imageset_information info;
  int refused = ae_imageset_open_memory(NULL, bytes, size, tiny, &set) != AE_OK;
  info.struct_size = sizeof info;
  if (!refused && ae_imageset_info(set, &info) == AE_OK && info.count == TINY_COUNT && info.width == SIDE &&
      info.height == SIDE && info.latent_size == TINY_LATENTS)
    refused = ae_imageset_read(set, 0, TINY_COUNT, out) != AE_OK ||
              ae_imageset_labels(set, 0, TINY_COUNT, tiny_labels) != AE_OK;
  ae_imageset_free(set);
  return refused;
}

/* An embedded model is read only where no other is given. */
static int refuses_embedding_set(const void *bytes, size_t size) {
  ae_imageset *set = NULL;
  int refused = ae_imageset_open_memory(NULL, bytes, size, NULL, &set) != AE_OK ||
                ae_imageset_read(set, 0, TINY_COUNT, out) != AE_OK ||
                ae_imageset_labels(set, 0, TINY_COUNT, tiny_labels) != AE_OK;
  ae_imageset_free(set);
  return refused;
}

static int refuses_checkpoint(const void *bytes, size_t size) {
  ae_trainer *resumed = NULL;
  int refused = ae_trainer_resume(NULL, bytes, size, &resumed) != AE_OK;
  ae_trainer_free(resumed);
  return refused;
}

static void attack(const char *name, refuses refuse, const void *sound, size_t size) {
  uint8_t *bytes = require(malloc(size + 64));
  size_t taken = 0, first = 0;
  memcpy(bytes, sound, size);
  check(!refuse(bytes, size), "%s of %zu bytes is taken as it is", name, size);

  for (size_t length = 0; length < size; length++) {
    /* A block of just that length, so that a tool that watches memory sees every read past its end. */
    uint8_t *cut = require(malloc(length ? length : 1));
    memcpy(cut, bytes, length);
    if (!refuse(cut, length) && taken++ == 0) first = length;
    free(cut);
  }
  check(taken == 0, "%s cut at any of its %zu lengths is refused (%zu taken, the first of %zu bytes)", name, size,
        taken, first);

  taken = 0;
  for (size_t bit = 0; bit < 8 * size; bit++) {
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    if (!refuse(bytes, size) && taken++ == 0) first = bit;
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
  check(taken == 0, "%s with any of its %zu bits changed is refused (%zu taken, the first bit %zu of byte %zu)",
        name, 8 * size, taken, first % 8, first / 8);

  memset(bytes + size, 0, 64);
  check(refuse(bytes, size + 1) && refuse(bytes, size + 64), "%s with bytes after its end is refused", name);
  free(bytes);
}

/* Integer networks are read at their first use: what is wrong behind right checksums is told then, each time. */
static void refuse_at_first_use(const char *path, const char *says) {
  ae_model *model = NULL;
  if (!check_status(ae_model_open(NULL, path, &model), AE_OK, "%s opens: its checksums match", path)) return;
  for (int use = 1; use <= 2; use++) {
    size_t size = 0;
    uint8_t *image = require(calloc(ae_input_size(model), 1)), *set = NULL;
    ae_status status = ae_compress(NULL, model, image, 1, NULL, NULL, NULL, 0, &size);
    if (status == AE_OK) status = ae_compress(NULL, model, image, 1, NULL, NULL, set = require(malloc(size)), size, &size);
    check(status == AE_ERROR_FORMAT && strstr(ae_last_error(), path) != NULL && strstr(ae_last_error(), says) != NULL,
          "and is refused at use %d: %s", use, ae_last_error());
    free(image);
    free(set);
  }
  ae_model_free(model);
}

/* A message quotes a path, so that one is of no more bytes than a system takes. */
static void test_long_paths(void) {
  static char path[8000];
  ae_model *model = NULL;
  ae_imageset *set = NULL;
  ae_trainer *trainer = NULL, *resumed = NULL;
  ae_writer *writer = NULL;
  const char *paths[1] = {path};
  memset(path, 'a', sizeof path - 1);
  trainer = trainer_of(AE_KIND_ELU, "");
  check_status(ae_model_open(NULL, path, &model), AE_ERROR_ARGUMENT, "a model's path of 7999 bytes");
  check_status(ae_imageset_open(NULL, path, elu, &set), AE_ERROR_ARGUMENT, "a set's");
  check_status(ae_trainer_resume_file(NULL, path, &resumed), AE_ERROR_ARGUMENT, "a checkpoint's");
  check_status(ae_model_save_file(elu, AE_STORAGE_FLOAT32, 0, path), AE_ERROR_ARGUMENT, "one to save to");
  check_status(ae_trainer_save_file(trainer, path), AE_ERROR_ARGUMENT, "for a checkpoint, too");
  check_status(ae_writer_create_file(NULL, elu, NULL, path, &writer), AE_ERROR_ARGUMENT, "and for a set");
  check_status(ae_writer_append_file(NULL, path, elu, &writer), AE_ERROR_ARGUMENT, "that goes on, too");
  check_status(ae_concatenate_files(NULL, paths, 1, "/dev/null"), AE_ERROR_ARGUMENT, "one to concatenate");
  check_status(ae_concatenate_files(NULL, paths, 0, path), AE_ERROR_ARGUMENT, "to concatenate to");
  check_status(ae_split_file(NULL, path, 0, 0, "/dev/null"), AE_ERROR_ARGUMENT, "to split");
  check_status(ae_split_file(NULL, "/dev/null", 0, 0, path), AE_ERROR_ARGUMENT, "to split to");
  check_status(ae_model_default(NULL, path, &model), AE_ERROR_ARGUMENT, "and a model's name");
  check(strlen(ae_last_error()) < 200, "none of which is quoted");
  ae_trainer_free(trainer);
}

void test_hostile_files(void) {
  test_long_paths();
  ae_trainer *resumed = NULL;
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, "block_images=16");
  ae_imageset *set = NULL;
  ae_model *model = NULL;
  size_t size = 0;
  void *bytes;
  refuse_at_first_use("Tests/attack/aew/a-weight-of--128.aew", "must be in -127 ... 127, not -128");
  refuse_at_first_use("Tests/attack/aew/a-negative-multiplier.aew", "is negative");
  refuse_at_first_use("Tests/attack/aew/a-sum-beyond-32-bits.aew", "a sum could reach");
  make_tiny();

  bytes = saved(tiny, AE_STORAGE_FLOAT32, 0, &size);
  attack("a weight file (float32)", refuses_model, bytes, size);
  check_status(ae_imageset_open_memory(NULL, bytes, size, tiny, &set), AE_ERROR_FORMAT, "a weight file is no image set");
  check_status(ae_trainer_resume(NULL, bytes, size, &resumed), AE_ERROR_KIND, "nor a checkpoint");
  free(bytes);
  bytes = saved(tiny, AE_STORAGE_INT8, 0, &size);
  attack("a weight file (int8)", refuses_model, bytes, size);
  free(bytes);

  for (int embed = 0; embed <= 1; embed++) {
    if (ae_options_set_integer(options, "embed_model", embed) != AE_OK) require(NULL);
    if (ae_compress(NULL, tiny, tiny_pixels, TINY_COUNT, tiny_labels, options, NULL, 0, &size) != AE_OK) require(NULL);
    bytes = require(malloc(size));
    if (ae_compress(NULL, tiny, tiny_pixels, TINY_COUNT, tiny_labels, options, bytes, size, &size) != AE_OK) require(NULL);
    if (!embed) check_status(ae_model_open_memory(NULL, bytes, size, &model), AE_ERROR_FORMAT, "an image set is no model");
    attack(embed ? "an image set with its model" : "an image set", embed ? refuses_embedding_set : refuses_set, bytes,
           size);
    free(bytes);
  }
  ae_options_free(options);

  if (ae_trainer_save(trainer, NULL, 0, &size) != AE_OK) require(NULL);
  bytes = require(malloc(size));
  if (ae_trainer_save(trainer, bytes, size, &size) != AE_OK) require(NULL);
  attack("a checkpoint", refuses_checkpoint, bytes, size);
  free(bytes);
  ae_trainer_free(trainer);
  ae_model_free(tiny);
}
