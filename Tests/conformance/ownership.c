/*
 * Who owns what: handles that were freed, arrays that overlap, sizes that are asked for. Its own file because these
 * hold for all calls alike.
 */
#include "check.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ae_model *opened(void) {
  size_t size = 0;
  void *file = saved(elu, AE_STORAGE_FLOAT32, 0, &size);
  ae_model *model = NULL;
  if (ae_model_open_memory(NULL, file, size, &model) != AE_OK) require(NULL);
  free(file);
  return model;
}

static void test_handles(void) {
  enum { MANY = 200 };
  float latents[LATENTS];
  ae_model *model = opened(), *stale = model, *many[MANY];
  ae_trainer *trainer;
  ae_model_free(model);
  check_status(ae_encode_u8(NULL, stale, pixels, 1, latents), AE_ERROR_ARGUMENT, "a model that was freed is refused");
  ae_model_free(stale);
  check(ae_input_size(stale) == 0, "freeing it again does nothing");
  /* Whoever takes its place is not it. */
  for (int i = 0; i < MANY; i++) many[i] = opened();
  int reused = 0;
  for (int i = 0; i < MANY; i++) reused += many[i] == stale;
  check(reused == 0, "no later handle is the one that was freed");
  check_status(ae_encode_u8(NULL, stale, pixels, 1, latents), AE_ERROR_ARGUMENT, "which stays refused");
  ae_model_free(stale);
  check_status(ae_encode_u8(NULL, many[0], pixels, 1, latents), AE_OK, "and frees no other");
  for (int i = 0; i < MANY; i++) ae_model_free(many[i]);
  trainer = trainer_of(AE_KIND_ELU, "");
  ae_imageset_free((ae_imageset *)(void *)trainer);
  check_status(ae_trainer_fit((ae_trainer *)(void *)elu, pixels, COUNT), AE_ERROR_ARGUMENT,
               "a model is no trainer");
  check_status(ae_trainer_fit(trainer, pixels, COUNT), AE_OK, "a trainer freed as a set goes on");
  ae_trainer_free(trainer);
  ae_trainer_free(trainer);
  check_status(ae_trainer_fit(trainer, pixels, COUNT), AE_ERROR_ARGUMENT, "a trainer freed twice is refused");
  check_status(ae_decode(NULL, (const ae_model *)(uintptr_t)1, latents, 1, latents), AE_ERROR_ARGUMENT,
               "a pointer to nowhere is refused without a look at it");
  check_status(ae_decode(NULL, (const ae_model *)~(uintptr_t)0, latents, 1, latents), AE_ERROR_ARGUMENT, "so is -1");
}

static void test_overlaps(void) {
  static uint8_t room[COUNT * SIZE + 4096];
  union {
    size_t size;
    uint8_t bytes[COUNT];
    float floats[2 * LATENTS + SIZE];
  } shared;
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, "");
  ae_imageset *set;
  size_t size = 0, lost = 0;
  void *bytes = compressed(elu, COUNT, NULL, "", &size);
  size_t capacity = size;
  set = opened_set(bytes, size, elu);
  memcpy(room, pixels, sizeof pixels);
  check_status(ae_compress(NULL, elu, room, COUNT, NULL, options, room + 64, capacity, &size), AE_ERROR_ARGUMENT,
               "ae_compress into its images");
  check_status(ae_compress(NULL, elu, room, COUNT, NULL, options, bytes, capacity, (size_t *)(void *)(room + 64)),
               AE_ERROR_ARGUMENT, "with the size among them");
  check_status(ae_compress(NULL, elu, pixels, COUNT, NULL, options, bytes, capacity, bytes), AE_ERROR_ARGUMENT,
               "with the size in what it writes");
  memset(&shared, 0, sizeof shared);
  check_status(ae_compress(NULL, elu, pixels, COUNT, shared.bytes, options, room, capacity, &shared.size),
               AE_ERROR_ARGUMENT, "with the size among the labels");
  check_status(ae_compress(NULL, elu, pixels, COUNT, room + 100, options, room, capacity, &size), AE_ERROR_ARGUMENT,
               "into the labels");
  check_status(ae_compress(NULL, elu, pixels, COUNT, NULL, options, bytes, SIZE_MAX, &size), AE_OK,
               "an endless capacity overlaps with nothing");
  check_status(ae_imageset_salvage(set, 0, COUNT, room, room + SIZE, NULL), AE_ERROR_ARGUMENT,
               "ae_imageset_salvage with the marks among its images");
  check_status(ae_imageset_salvage(set, 0, COUNT, room, NULL, (size_t *)(void *)(room + 64)), AE_ERROR_ARGUMENT,
               "with the count among them");
  check_status(ae_imageset_salvage(set, 0, COUNT, NULL, shared.bytes, &shared.size), AE_ERROR_ARGUMENT,
               "with the count among the marks");
  check_status(ae_imageset_salvage(set, 0, COUNT, room, shared.bytes, &lost), AE_OK, "and apart");
  check_status(vae_encode(NULL, vae, shared.floats, 1, shared.floats + SIZE, shared.floats + SIZE + 1),
               AE_ERROR_ARGUMENT, "vae_encode with outputs that overlap");
  check_status(ae_model_save(elu, AE_STORAGE_INT8, 0, bytes, capacity, bytes), AE_ERROR_ARGUMENT,
               "ae_model_save with the size in what it writes");
  check_status(ae_model_export_c(elu, NULL, 0, (char *)(void *)bytes, capacity, bytes), AE_ERROR_ARGUMENT,
               "ae_model_export_c with the size in what it writes");
  ae_imageset_free(set);
  ae_options_free(options);
  free(bytes);
}

static void test_sizes(void) {
  size_t bound = 0, size = 0, needed = 0;
  for (int storage = AE_STORAGE_FLOAT32; storage <= AE_STORAGE_INT8; storage++)
    for (uint32_t flags = 0; flags <= AE_SAVE_DECODER_ONLY; flags++) {
      if (ae_model_save(elu, storage, flags, NULL, 0, &bound) != AE_OK) require(NULL);
      void *out = require(malloc(bound));
      check(ae_model_save(elu, storage, flags, out, bound, &size) == AE_OK && size <= bound,
            "ae_model_save: %u bytes in %u", (unsigned)size, (unsigned)bound);
      check_status(ae_model_save(elu, storage, flags, out, size - 1, &needed), AE_ERROR_BUFFER, "one fewer");
      check(needed >= size && needed <= bound, "says how many");
      check_status(ae_model_save(elu, storage, flags, out, size, &size), AE_OK, "just as many");
      free(out);
    }
  for (uint32_t flags = 0; flags <= AE_EXPORT_ENCODER; flags++)
    for (int is_long = 0; is_long < 2; is_long++) {
      const char *prefix = is_long ? "a_prefix_that_is_as_long_as_any_may_be_4" : NULL;
      if (ae_model_export_c(elu, prefix, flags, NULL, 0, &bound) != AE_OK) require(NULL);
      char *out = require(malloc(bound));
      check(ae_model_export_c(elu, prefix, flags, out, bound, &size) == AE_OK && size <= bound && strlen(out) + 1 == size,
            "ae_model_export_c: %u bytes in %u, the NUL counted", (unsigned)size, (unsigned)bound);
      check_status(ae_model_export_c(elu, prefix, flags, out, size - 1, &needed), AE_ERROR_BUFFER, "one fewer");
      check_status(ae_model_export_c(elu, prefix, flags, out, size, &size), AE_OK, "just as many");
      free(out);
    }
  for (int kind = AE_KIND_PCA; kind <= AE_KIND_CONV_VAE; kind++) {
    ae_trainer *trainer = trainer_of(kind, "steps=2");
    if (ae_trainer_fit(trainer, pixels, COUNT) != AE_OK ||
        ae_trainer_save(trainer, NULL, 0, &bound) != AE_OK)
      require(NULL);
    void *out = require(malloc(bound));
    check(ae_trainer_save(trainer, out, bound, &size) == AE_OK && size <= bound,
          "ae_trainer_save of kind %d: %u bytes in %u", kind, (unsigned)size, (unsigned)bound);
    free(out);
    ae_trainer_free(trainer);
  }
}

/* A model of the repository that has the prices of a bit, if it is there. */
static void test_bit_prices(void) {
  static const char path[] = "models/digits-low.aew";
  ae_model *model = NULL;
  size_t size = 0;
  if (ae_model_open(NULL, path, &model) != AE_OK) {
    skip("%s is not there: what is saved keeps all sections", path);
    return;
  }
  char *file = saved(model, AE_STORAGE_INT8, 0, &size);
  int is_there = 0;
  for (size_t i = 0; i + 4 <= size && i < 1024; i++) is_there |= memcmp(file + i, "bitp", 4) == 0;
  check(is_there, "a model that is saved keeps the prices of a bit");
  free(file);
  ae_model_free(model);
}

void test_ownership(void) {
  test_handles();
  test_overlaps();
  test_sizes();
  test_bit_prices();
}
