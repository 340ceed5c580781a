/* Version, errors, threads, and what every call does with NULL. */
#include "check.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *error_of_new_thread(void *context) {
  char *text = context;
  snprintf(text, 64, "%s", ae_last_error());
  ae_set_threads(-5);
  return NULL;
}

/* A call with NULL or memory that is no handle: which argument it is, the message says. */
#define REFUSED(call) check_status(call, AE_ERROR_ARGUMENT, "%s", #call)

static void test_null_handles(void) {
  int64_t room[512] = {0};
  ae_model *none = (ae_model *)room;
  ae_model_free(NULL);
  ae_imageset_free(NULL);
  ae_trainer_free(NULL);
  ae_writer_free(NULL);
  ae_options_free(NULL);
  ae_context_free(NULL);
  check(1, "freeing NULL does nothing");
  ae_model_free(none);
  ae_imageset_free((ae_imageset *)none);
  ae_trainer_free((ae_trainer *)none);
  ae_writer_free((ae_writer *)none);
  ae_options_free((ae_options *)none);
  ae_context_free((ae_context *)none);
  check(1, "nor does freeing what is no handle");
  check(ae_input_size(NULL) == 0 && ae_latent_size(NULL) == 0, "NULL has no sizes");
  check(ae_input_size(none) == 0 && ae_latent_size(none) == 0 && ae_quality_count(NULL, none) == 0,
        "nor has what is no model");
  check_status(ae_encode(NULL, none, (float *)room, 1, (float *)room), AE_ERROR_ARGUMENT,
               "memory that is no handle is refused");
  check_status(ae_encode((ae_context *)none, none, (float *)room, 1, (float *)room), AE_ERROR_ARGUMENT,
               "memory that is no context, too");
}

static void test_null_models(void) {
  int64_t room[512] = {0};
  size_t size = 0;
  ae_model *model = (ae_model *)room;
  ae_model_information about = {sizeof about, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "", "", 0, 0, 0};
  ae_quality_information quality = {sizeof quality, 0, 0, "", 0};
  ae_tensor tensor = {sizeof tensor, "", NULL, 0};
  REFUSED(ae_model_open(NULL, NULL, &model));
  check(model == NULL, "a failed open stores NULL");
  REFUSED(ae_model_open(NULL, "x", NULL));
  REFUSED(ae_model_open_memory(NULL, NULL, 8, &model));
  check_status(ae_model_open_memory(NULL, NULL, 0, &model), AE_ERROR_FORMAT, "no bytes are no weight file");
  REFUSED(ae_model_open_memory(NULL, room, SIZE_MAX, &model));
  REFUSED(ae_model_open_memory(NULL, room, 8, NULL));
  REFUSED(ae_model_default(NULL, NULL, NULL));
  REFUSED(ae_model_info(NULL, &about));
  REFUSED(ae_model_save(NULL, 0, 0, NULL, 0, &size));
  REFUSED(ae_model_save(NULL, 0, 0, NULL, 0, NULL));
  REFUSED(ae_model_save_file(NULL, 0, 0, "x"));
  REFUSED(ae_model_export_c(NULL, NULL, 0, NULL, 0, &size));
  REFUSED(ae_model_export_c(NULL, "x", 0, NULL, 0, NULL));
  REFUSED(ae_model_export_c_file(NULL, "x", 0, "x"));
  model = (ae_model *)room;
  REFUSED(ae_model_create(NULL, NULL, &tensor, 1, &model));
  check(model == NULL, "a failed create stores NULL");
  REFUSED(ae_model_create(NULL, "kind=elu", NULL, 1, &model));
  REFUSED(ae_model_create(NULL, "kind=elu", &tensor, 1, NULL));
  REFUSED(ae_model_create(NULL, "kind=elu", &tensor, SIZE_MAX, &model));
  REFUSED(ae_model_description(NULL, NULL, 0, &size));
  REFUSED(ae_model_tensor(NULL, 0, &tensor));
  model = (ae_model *)room;
  REFUSED(ae_model_shrink(NULL, NULL, (uint8_t *)room, 1, NULL, NULL, NULL, NULL, &model));
  REFUSED(ae_model_quantize(NULL, NULL, (uint8_t *)room, 1, NULL, &model));
  check(model == NULL, "a failed quantisation stores NULL");
  model = (ae_model *)room;
  REFUSED(ae_model_fit_lossless(NULL, NULL, (uint8_t *)room, 1, NULL, NULL, NULL, &model));
  check(model == NULL, "as does a failed fit");
  model = (ae_model *)room;
  REFUSED(ae_predictor_fit(NULL, NULL, 1, 2, 2, 1, NULL, NULL, NULL, NULL, NULL, &model));
  check(model == NULL, "of a predictor, too");
  REFUSED(ae_quality_info(NULL, NULL, 1, NULL));
  REFUSED(ae_quality_info(NULL, (ae_model *)room, 1, &quality));

  REFUSED(ae_encode(NULL, NULL, (float *)room, 1, (float *)room));
  REFUSED(ae_encode_u8(NULL, NULL, NULL, 0, NULL));
  REFUSED(ae_decode(NULL, NULL, NULL, 0, NULL));
  REFUSED(ae_decode_u8(NULL, NULL, NULL, 0, NULL));
  REFUSED(ae_posterior(NULL, NULL, NULL, 0, NULL, NULL));
  REFUSED(ae_posterior_u8(NULL, NULL, NULL, 0, NULL, NULL));
  REFUSED(ae_prior(NULL, NULL, 0, 0, NULL));
  REFUSED(ae_sample(NULL, NULL, 0, 0, NULL));
  REFUSED(ae_sample_u8(NULL, NULL, 0, 0, NULL));
  REFUSED(vae_encode(NULL, NULL, NULL, 0, NULL, NULL));
  REFUSED(vae_sample(NULL, NULL, 0, 0, NULL));
}

static void test_null_options(void) {
  int64_t room[64] = {0};
  char text[16];
  size_t size = 0;
  ae_options *options = (ae_options *)room;
  ae_option_information about = {sizeof about, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL};
  ae_preset_information preset = {sizeof preset, NULL, NULL, NULL};
  REFUSED(ae_options_create(0, NULL));
  REFUSED(ae_options_create(-1, &options));
  check(options == NULL, "a failed create of options stores NULL");
  REFUSED(ae_options_create(6, &options));
  REFUSED(ae_options_set(NULL, "steps", "1"));
  REFUSED(ae_options_set_integer(NULL, "steps", 1));
  REFUSED(ae_options_set_number(NULL, "noise", 1));
  REFUSED(ae_options_get(NULL, "steps", text, sizeof text, &size));
  REFUSED(ae_option_info(0, 0, NULL));
  REFUSED(ae_option_info(-1, 0, &about));
  REFUSED(ae_option_info(0, SIZE_MAX, &about));
  REFUSED(ae_preset_info(0, NULL));
  REFUSED(ae_preset_info(SIZE_MAX, &preset));
  if (ae_options_create(AE_OPTIONS_TRAINING, &options) != AE_OK) require(NULL);
  REFUSED(ae_options_set(options, NULL, "1"));
  REFUSED(ae_options_set(options, "steps", NULL));
  REFUSED(ae_options_set_integer(options, NULL, 1));
  REFUSED(ae_options_set_number(options, NULL, 1));
  REFUSED(ae_options_get(options, NULL, text, sizeof text, &size));
  REFUSED(ae_options_get(options, "steps", text, sizeof text, NULL));
  ae_options_free(options);
  REFUSED(ae_options_set(options, "steps", "1"));
  REFUSED(ae_options_get(options, "steps", text, sizeof text, &size));
}

static int32_t write_nothing(void *context, const void *bytes, size_t byte_count) {
  (void)context, (void)bytes, (void)byte_count;
  return 0;
}

static int32_t read_nothing(void *context, uint64_t offset, size_t byte_count, void *out) {
  (void)context, (void)offset, (void)byte_count, (void)out;
  return 1;
}

static void test_null_sets(void) {
  int64_t room[512] = {0};
  const char *const paths[2] = {"x", NULL};
  size_t size = 0;
  ae_imageset *set = (ae_imageset *)room;
  ae_writer *writer = (ae_writer *)room;
  ae_imageset_information about;
  about.struct_size = sizeof about;
  /* Without a model, for which those would be looked for that come with the library. */
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, "mode=lossless method=contexts");
  REFUSED(ae_compress(NULL, NULL, NULL, 1, NULL, options, NULL, 0, &size));
  REFUSED(ae_compress(NULL, (ae_model *)room, NULL, 0, NULL, NULL, NULL, 0, &size));
  REFUSED(ae_compress_bound(NULL, (ae_model *)room, 0, NULL, &size));
  REFUSED(ae_imageset_open(NULL, NULL, NULL, &set));
  check(set == NULL, "a failed open of a set stores NULL");
  REFUSED(ae_imageset_open(NULL, "x", NULL, NULL));
  REFUSED(ae_imageset_open_memory(NULL, room, 8, (ae_model *)room, &set));
  REFUSED(ae_imageset_open_memory(NULL, NULL, 1, NULL, &set));
  REFUSED(ae_imageset_open_memory(NULL, room, SIZE_MAX, NULL, &set));
  REFUSED(ae_imageset_open_memory(NULL, room, 8, NULL, NULL));
  REFUSED(ae_imageset_open_callback(NULL, NULL, NULL, 8, NULL, &set));
  REFUSED(ae_imageset_open_callback(NULL, read_nothing, NULL, 8, NULL, NULL));
  REFUSED(ae_imageset_open_callback(NULL, read_nothing, NULL, 8, (ae_model *)room, &set));
  REFUSED(ae_imageset_info(NULL, NULL));
  REFUSED(ae_imageset_info(NULL, &about));
  REFUSED(ae_imageset_read(NULL, 0, 1, (uint8_t *)room));
  REFUSED(ae_imageset_salvage(NULL, 0, 1, (uint8_t *)room, NULL, NULL));
  REFUSED(ae_imageset_latents(NULL, 0, 1, (float *)room));
  REFUSED(ae_imageset_labels(NULL, 0, 1, (uint8_t *)room));
  REFUSED(ae_imageset_name(NULL, 0, NULL, 0, &size));

  REFUSED(ae_writer_create(NULL, NULL, options, NULL, NULL, &writer));
  check(writer == NULL, "a failed create of a writer stores NULL");
  REFUSED(ae_writer_create(NULL, NULL, options, write_nothing, NULL, NULL));
  REFUSED(ae_writer_create(NULL, (ae_model *)room, NULL, write_nothing, NULL, &writer));
  REFUSED(ae_writer_create_like(NULL, NULL, write_nothing, NULL, &writer));
  REFUSED(ae_writer_create_file(NULL, NULL, NULL, NULL, &writer));
  REFUSED(ae_writer_create_file(NULL, NULL, options, "x", NULL));
  REFUSED(ae_writer_append_file(NULL, NULL, NULL, &writer));
  REFUSED(ae_writer_append_file(NULL, "x", NULL, NULL));
  REFUSED(ae_writer_set_progress(NULL, NULL, NULL));
  REFUSED(ae_writer_add(NULL, (uint8_t *)room, 1, NULL, NULL));
  REFUSED(ae_writer_add_set(NULL, NULL, 0, 0));
  REFUSED(ae_writer_finish(NULL));
  REFUSED(ae_writer_finish((ae_writer *)room));
  REFUSED(ae_concatenate_files(NULL, NULL, 1, "/dev/null"));
  REFUSED(ae_concatenate_files(NULL, paths + 1, 1, "/dev/null"));
  REFUSED(ae_concatenate_files(NULL, paths, 1, NULL));
  REFUSED(ae_concatenate_files(NULL, paths, SIZE_MAX, "/dev/null"));
  REFUSED(ae_split_file(NULL, NULL, 0, 1, "/dev/null"));
  REFUSED(ae_split_file(NULL, "x", 0, 1, NULL));
  ae_options_free(options);
}

static void test_null_trainers(void) {
  int64_t room[512] = {0};
  size_t size = 0;
  ae_trainer *trainer = (ae_trainer *)room;
  ae_model *model = (ae_model *)room;
  REFUSED(ae_trainer_create(NULL, (ae_options *)room, &trainer));
  check(trainer == NULL, "a failed create stores NULL");
  REFUSED(ae_trainer_create(NULL, NULL, NULL));
  trainer = (ae_trainer *)room;
  REFUSED(ae_trainer_create_from(NULL, NULL, NULL, &trainer));
  check(trainer == NULL, "also one from a model");
  REFUSED(ae_trainer_set_callbacks(NULL, NULL));
  REFUSED(ae_trainer_fit(NULL, (uint8_t *)room, 1));
  REFUSED(ae_trainer_step(NULL, (float *)room, 1, NULL));
  REFUSED(ae_trainer_model(NULL, NULL, 0, &model));
  check(model == NULL, "a failed ae_trainer_model stores NULL");
  REFUSED(ae_trainer_save(NULL, NULL, 0, &size));
  REFUSED(ae_trainer_save_file(NULL, "x"));
  REFUSED(ae_trainer_resume(NULL, NULL, 1, &trainer));
  REFUSED(ae_trainer_resume_file(NULL, NULL, &trainer));
  REFUSED(ae_trainer_resume_file(NULL, "x", NULL));
  check_status(ae_trainer_resume(NULL, room, 0, &trainer), AE_ERROR_FORMAT, "no bytes are no checkpoint");
  REFUSED(ae_trainer_resume(NULL, room, 8, NULL));
}

void test_library(void) {
  static const char *const names[] = {"AE_OK",           "AE_ERROR_ARGUMENT", "AE_ERROR_MEMORY",
                                      "AE_ERROR_IO",     "AE_ERROR_FORMAT",   "AE_ERROR_CHECKSUM",
                                      "AE_ERROR_VERSION", "AE_ERROR_KIND",    "AE_ERROR_SHAPE",
                                      "AE_ERROR_MODEL",  "AE_ERROR_BUFFER",   "AE_ERROR_STOPPED",
                                      "AE_ERROR_DIVERGED", "AE_ERROR_INTERNAL"};
  char text[64] = "x", version[32];
  int right = 1;
  pthread_t thread;

  check(ae_version() == AE_VERSION_NUMBER, "the library is of the header's version");
  check(ae_abi_version() == AE_ABI_VERSION, "and of its ABI version");
  snprintf(version, sizeof version, "libae %d.%d.%d,", AE_VERSION_MAJOR, AE_VERSION_MINOR, AE_VERSION_PATCH);
  check(strncmp(ae_build_info(), version, strlen(version)) == 0, "ae_build_info begins with the version");
  check(ae_build_info() == ae_build_info(), "ae_build_info gives the same string every time");
#ifdef ORDINARY_SWIFT
  check(strstr(ae_build_info(), "ordinary") != NULL, "the library is built in ordinary Swift");
#else
  check(strstr(ae_build_info(), "embedded") != NULL, "the library is built in embedded Swift");
#endif

  check(strcmp(ae_last_error(), "") == 0, "no error before the first");
  for (int i = 0; i < 14; i++) right = right && strcmp(ae_status_string(i), names[i]) == 0;
  check(right, "every status has its name");
  check(ae_status_string(-1) != NULL && ae_status_string(14) != NULL && ae_status_string(INT32_MIN) != NULL,
        "values that are no status have a string, too");

  check_status(ae_set_threads(-1), AE_ERROR_ARGUMENT, "-1 threads");
  check(strstr(ae_last_error(), "-1") != NULL, "the message says what came");
  check_status(ae_set_threads(257), AE_ERROR_ARGUMENT, "257 threads");
  check_status(ae_set_threads(INT32_MIN), AE_ERROR_ARGUMENT, "INT32_MIN threads");
  check_status(ae_set_threads(3), AE_OK, "3 threads");
  check(ae_threads() == 3, "are 3 threads");
  check(strcmp(ae_last_error(), "") != 0, "a call that succeeds leaves the last error alone");
  check_status(ae_set_threads(0), AE_OK, "as many threads as processors");
  check(ae_threads() >= 1, "are at least 1");
  check_status(ae_set_threads(2), AE_OK, "2 threads from here on");

  ae_set_threads(-7);
  if (pthread_create(&thread, NULL, error_of_new_thread, text) == 0) pthread_join(thread, NULL);
  check(strcmp(text, "") == 0, "a new thread has no error");
  check(strstr(ae_last_error(), "-7") != NULL, "and leaves those of others alone");

  test_null_handles();
  test_null_models();
  test_null_options();
  test_null_sets();
  test_null_trainers();
}
