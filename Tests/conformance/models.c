/* Models: what they tell, saving and opening in every storage, and refusals. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ae_model_information info_of(const ae_model *model) {
  ae_model_information info;
  memset(&info, 0xEE, sizeof info);
  info.struct_size = sizeof info;
  if (ae_model_info(model, &info) != AE_OK) require(NULL);
  return info;
}

static void test_info(void) {
  ae_model_information info = info_of(elu);
  struct {
    ae_model_information known;
    char later[16];
  } longer;
  check(info.kind == AE_KIND_ELU && info.storage == AE_STORAGE_FLOAT32, "kind and storage");
  check(info.width == WIDTH && info.height == HEIGHT && info.channels == 1, "image size");
  check(info.latent_size == LATENTS, "latent size");
  check(info.has_encoder == 1 && info.is_variational == 0 && info.has_codec == 1, "what it can do");
  check(info.quality_count >= 3, "at least three qualities (%d)", info.quality_count);
  check(info.parameter_count == (uint64_t)((SIZE + 1) * 24 + 25 * LATENTS + (LATENTS + 1) * 24 + 25 * SIZE),
        "parameters: weights and biases of both halves");
  check(strlen(info.hash) == 64 && strspn(info.hash, "0123456789abcdef") == 64, "a hash of 64 hex digits");
  check(strcmp(info.name, "elu") == 0, "named for its kind unless told");
  check(info_of(vae).is_variational == 1, "a vae is variational");
  check(ae_input_size(elu) == SIZE && ae_latent_size(elu) == LATENTS, "sizes agree with the information");

  info.struct_size = 0;
  check_status(ae_model_info(elu, &info), AE_ERROR_VERSION, "struct_size 0");
  /* Programs of 0.2.0 know 200 bytes of it. */
  info.struct_size = 199;
  check_status(ae_model_info(elu, &info), AE_ERROR_VERSION, "struct_size too small by one");
  info.struct_size = SIZE_MAX;
  check_status(ae_model_info(elu, &info), AE_ERROR_VERSION, "struct_size SIZE_MAX");
  check_status(ae_model_info(elu, NULL), AE_ERROR_ARGUMENT, "information NULL");
  memset(&longer, 0xEE, sizeof longer);
  longer.known.struct_size = sizeof longer;
  check_status(ae_model_info(elu, &longer.known), AE_OK, "a struct of a later version is filled");
  check(longer.known.struct_size == sizeof longer && longer.later[0] == 0 && longer.later[15] == 0,
        "keeps its size, and later fields are 0");
}

static void test_storage(int32_t storage, const char *name) {
  size_t size = 0, used = 0, small = 0;
  void *bytes = saved(elu, storage, 0, &size);
  ae_model *model = NULL;
  static float before[COUNT * SIZE], after[COUNT * SIZE], latents[COUNT * LATENTS];
  char *short_room = require(malloc(size));
  double difference = 0;

  check_status(ae_model_save(elu, storage, 0, short_room, size - 1, &small), AE_ERROR_BUFFER,
               "%s: one byte too few", name);
  check(small >= size, "%s: and the size that is enough is told", name);
  check_status(ae_model_save(elu, storage, 0, bytes, SIZE_MAX, &used), AE_OK, "%s: endless capacity", name);
  check(used == size, "%s: the same size again", name);
  free(short_room);

  if (check_status(ae_model_open_memory(NULL, bytes, size, &model), AE_OK, "%s: opens", name)) {
    ae_model_information info = info_of(model);
    check(info.storage == storage, "%s: is what it says", name);
    check(strcmp(info.hash, info_of(elu).hash) == 0, "%s: keeps the hash", name);
    memset(bytes, 0, size); /* the model must not need the caller's bytes */
    if (ae_encode_u8(NULL, elu, pixels, COUNT, latents) != AE_OK ||
        ae_decode(NULL, elu, latents, COUNT, before) != AE_OK || ae_decode(NULL, model, latents, COUNT, after) != AE_OK)
      require(NULL);
    for (size_t i = 0; i < COUNT * SIZE; i++) difference += (before[i] - after[i]) * (before[i] - after[i]);
    difference /= COUNT * SIZE;
    check(difference <= (storage == AE_STORAGE_FLOAT32 ? 0 : storage == AE_STORAGE_FLOAT16 ? 1e-5 : 2e-3),
          "%s: decodes alike (mean square difference %.2g)", name, difference);
    if (storage == AE_STORAGE_INT8) {
      check_status(ae_model_save(model, AE_STORAGE_FLOAT32, 0, NULL, 0, &used), AE_ERROR_KIND,
                   "int8: cannot be saved as floats");
      check_status(ae_model_save(model, AE_STORAGE_INT8, 0, NULL, 0, &used), AE_OK,
                   "int8: can be saved as that");
    }
    ae_model_free(model);
  }
  free(bytes);
}

static void test_decoder_alone(void) {
  size_t size = 0, whole = 0;
  void *bytes = saved(elu, AE_STORAGE_INT8, AE_SAVE_DECODER_ONLY, &size);
  ae_model *model = NULL;
  float latents[LATENTS] = {0};
  uint8_t image[SIZE];
  if (!check_status(ae_model_open_memory(NULL, bytes, size, &model), AE_OK, "a decoder alone opens")) return;
  check(info_of(model).has_encoder == 0, "and says what it is");
  check(strcmp(info_of(model).hash, info_of(elu).hash) == 0, "and has the whole model's hash");
  check_status(ae_encode_u8(NULL, model, pixels, 1, latents), AE_ERROR_KIND, "it cannot encode");
  check_status(ae_encode_u8(NULL, model, NULL, 0, NULL), AE_ERROR_KIND, "not even nothing");
  check_status(ae_decode_u8(NULL, model, latents, 1, image), AE_OK, "it decodes");
  check_status(ae_compress(NULL, model, pixels, 1, NULL, NULL, NULL, 0, &whole), AE_ERROR_KIND, "it cannot compress");
  ae_model_free(model);
  free(bytes);
}

static void test_c_source(const ae_model *bare) {
  static const char *const wrong[] = {"", "1st", "_x", "x_", "a__b", "a-b", "a b", "h\xc3\xa9",
                                      "a_prefix_that_is_longer_than_any_may_be_4"};
  size_t size = 0, plain = 0, whole = 0;
  ae_model *decoder = NULL;
  void *bytes = saved(elu, AE_STORAGE_INT8, AE_SAVE_DECODER_ONLY, &size);
  if (ae_model_open_memory(NULL, bytes, size, &decoder) != AE_OK) require(NULL);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    check_status(ae_model_export_c(elu, wrong[i], 0, NULL, 0, &size), AE_ERROR_ARGUMENT, "prefix \"%s\"", wrong[i]);
  check_status(ae_model_export_c(elu, "a", 2, NULL, 0, &size), AE_ERROR_ARGUMENT, "an unknown flag");
  check_status(ae_model_export_c(elu, "a", 0, NULL, 0, NULL), AE_ERROR_ARGUMENT, "size NULL");
  check_status(ae_model_export_c(bare, "a", 0, NULL, 0, &size), AE_ERROR_KIND, "no integers");
  check_status(ae_model_export_c(decoder, "a", AE_EXPORT_ENCODER, NULL, 0, &size), AE_ERROR_KIND, "no encoder");
  /* The file goes by the model, not by how it is stored. */
  char *source = require(malloc(1 << 20)), *again = require(malloc(1 << 20));
  check_status(ae_model_export_c(elu, "small_2", 0, source, 1 << 20, &plain), AE_OK, "a decoder");
  check(strstr(source, "void small_2_decode(const int16_t *code,") != NULL, "has the prefix in its names");
  check(strstr(source, info_of(elu).hash) != NULL && strstr(source, "\"elu\"") != NULL, "says which model it is");
  check(strstr(source, "encode(") == NULL, "has no encoder");
  check_status(ae_model_export_c(decoder, "small_2", 0, again, 1 << 20, &size), AE_OK, "of a decoder alone");
  check(size == plain && memcmp(source, again, size) == 0, "is the same file");
  check_status(ae_model_export_c(elu, "small_2", AE_EXPORT_ENCODER, again, 1 << 20, &whole), AE_OK, "with the encoder");
  check_status(ae_model_export_c_file(elu, NULL, 0, "/nowhere/decoder.c"), AE_ERROR_IO, "a folder that is not there");
  check_status(ae_model_export_c_file(elu, NULL, 0, NULL), AE_ERROR_ARGUMENT, "a path of NULL");
  check_status(ae_model_export_c_file(elu, "x_", 0, "/dev/null"), AE_ERROR_ARGUMENT, "a prefix that is none, for a file");
  check_status(ae_model_export_c_file(elu, NULL, AE_EXPORT_ENCODER, "/dev/null"), AE_OK, "a device");
  check(whole > plain && strstr(again, "void small_2_encode(const uint8_t *pixels,") != NULL, "it is longer");
  free(source);
  free(again);
  ae_model_free(decoder);
  free(bytes);
}

static void test_files(void) {
  char folder[] = "/tmp/libae-conformance-XXXXXX", path[64], other[64];
  ae_model *model = NULL;
  size_t size = 0;
  if (mkdtemp(folder) == NULL) require(NULL);
  snprintf(path, sizeof path, "%s/\xff model.aew", folder); /* a path need not be UTF-8 */
  snprintf(other, sizeof other, "%s/none/model.aew", folder);
  check_status(ae_model_save_file(elu, AE_STORAGE_FLOAT32, 0, path), AE_OK, "saves to a file");
  check_status(ae_model_save_file(elu, AE_STORAGE_FLOAT16, 0, path), AE_OK, "and over it");
  if (check_status(ae_model_open(NULL, path, &model), AE_OK, "and opens it")) {
    check(info_of(model).storage == AE_STORAGE_FLOAT16, "which is the later one");
    ae_model_free(model);
  }
  check_status(ae_model_save_file(elu, 0, 0, other), AE_ERROR_IO, "a folder that is not there");
  check(strstr(ae_last_error(), other) != NULL, "is named in the message");
  check(ae_last_errno() == ENOENT, "and ae_last_errno says ENOENT (%d)", (int)ae_last_errno());
  check_status(ae_model_save_file(elu, 0, 0, NULL), AE_ERROR_ARGUMENT, "a path of NULL");
  check_status(ae_model_open(NULL, other, &model), AE_ERROR_IO, "a file that is not there");
  check(ae_last_errno() == ENOENT, "is ENOENT, too");
  check_status(ae_model_open(NULL, folder, &model), AE_ERROR_IO, "a folder is no file");
  check(ae_last_errno() == EISDIR, "but EISDIR");
  check_status(ae_model_open(NULL, path, NULL), AE_ERROR_ARGUMENT, "a NULL out-pointer");
  check(ae_last_errno() == 0, "is no system call's fault");
  check_status(ae_model_open(NULL, "", &model), AE_ERROR_IO, "an empty path");
  check_status(ae_model_open(NULL, "/dev/null", &model), AE_ERROR_FORMAT, "an empty file");
  check_status(ae_model_save(elu, -1, 0, NULL, 0, &size), AE_ERROR_ARGUMENT, "storage -1");
  check_status(ae_model_save(elu, 3, 0, NULL, 0, &size), AE_ERROR_ARGUMENT, "storage 3");
  check_status(ae_model_save(elu, 256, 0, NULL, 0, &size), AE_ERROR_ARGUMENT, "storage 256");
  check_status(ae_model_save(elu, 0, 2, NULL, 0, &size), AE_ERROR_ARGUMENT, "an unknown flag");
  check_status(ae_model_save(elu, 0, 0, NULL, 0, NULL), AE_ERROR_ARGUMENT, "size NULL");
  unlink(path);
  check(rmdir(folder) == 0, "nothing else is left in the folder");
}

void test_models(void) {
  ae_trainer *trainer;
  ae_model *bare = NULL;
  size_t size = 0;
  test_info();
  test_storage(AE_STORAGE_FLOAT32, "float32");
  test_storage(AE_STORAGE_FLOAT16, "float16");
  test_storage(AE_STORAGE_INT8, "int8");
  test_decoder_alone();
  test_files();

  trainer = trainer_of(AE_KIND_RELU, "name=h\xc3\xa9llo");
  if (check_status(ae_trainer_model(trainer, NULL, 0, &bare), AE_OK, "a model without codec")) {
    ae_model_information info = info_of(bare);
    check(info.has_codec == 0 && info.quality_count == 0 && info.hash[0] == 0, "says so");
    check(strcmp(info.name, "h\xc3\xa9llo") == 0, "and has the name it was given");
    check_status(ae_compress(NULL, bare, pixels, 1, NULL, NULL, NULL, 0, &size), AE_ERROR_KIND, "cannot compress");
    check_status(ae_model_save(bare, AE_STORAGE_INT8, 0, NULL, 0, &size), AE_ERROR_KIND,
                 "cannot be saved as int8");
    check_status(ae_model_save(bare, AE_STORAGE_FLOAT32, 0, NULL, 0, &size), AE_OK,
                 "can be saved as float32");
    test_c_source(bare);
    ae_model_free(bare);
  }
  ae_trainer_free(trainer);
}
