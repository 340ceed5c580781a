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

static void test_nulls(void) {
  int64_t room[512] = {0};
  size_t size = 0;
  ae_model *model = (ae_model *)room;
  ae_imageset *set = (ae_imageset *)room;
  ae_trainer *trainer = (ae_trainer *)room;
  const ae_model *no_model = NULL;

  ae_model_free(NULL);
  ae_imageset_free(NULL);
  ae_trainer_free(NULL);
  check(1, "freeing NULL does nothing");
  check(ae_input_size(NULL) == 0 && ae_latent_size(NULL) == 0, "NULL has no sizes");

  check_status(ae_model_open(NULL, &model), AE_ERROR_ARGUMENT, "ae_model_open(NULL path)");
  check(model == NULL, "a failed open stores NULL");
  check_status(ae_model_open("x", NULL), AE_ERROR_ARGUMENT, "ae_model_open(NULL out)");
  check_status(ae_model_open_memory(NULL, 8, &model), AE_ERROR_ARGUMENT, "ae_model_open_memory(NULL data)");
  check_status(ae_model_open_memory(NULL, 0, &model), AE_ERROR_FORMAT, "no bytes are no weight file");
  check_status(ae_model_open_memory(room, SIZE_MAX, &model), AE_ERROR_ARGUMENT,
               "ae_model_open_memory(SIZE_MAX bytes)");
  check_status(ae_model_open_memory(room, 8, NULL), AE_ERROR_ARGUMENT, "ae_model_open_memory(NULL out)");
  check_status(ae_model_info(NULL, (ae_model_information *)room), AE_ERROR_ARGUMENT, "ae_model_info(NULL)");
  check_status(ae_model_save(NULL, 0, 0, NULL, 0, &size), AE_ERROR_ARGUMENT, "ae_model_save(NULL)");
  check_status(ae_model_save(NULL, 0, 0, NULL, 0, NULL), AE_ERROR_ARGUMENT, "ae_model_save(NULL size)");
  check_status(ae_model_save_file(NULL, 0, 0, "x"), AE_ERROR_ARGUMENT, "ae_model_save_file(NULL)");

  check_status(ae_encode(no_model, (float *)room, 1, (float *)room), AE_ERROR_ARGUMENT, "ae_encode(NULL)");
  check_status(ae_encode_u8(NULL, NULL, 0, NULL), AE_ERROR_ARGUMENT, "ae_encode_u8(NULL)");
  check_status(ae_decode(NULL, NULL, 0, NULL), AE_ERROR_ARGUMENT, "ae_decode(NULL)");
  check_status(ae_decode_u8(NULL, NULL, 0, NULL), AE_ERROR_ARGUMENT, "ae_decode_u8(NULL)");
  check_status(vae_encode(NULL, NULL, 0, NULL, NULL), AE_ERROR_ARGUMENT, "vae_encode(NULL)");
  check_status(vae_encode_u8(NULL, NULL, 0, NULL, NULL), AE_ERROR_ARGUMENT, "vae_encode_u8(NULL)");
  check_status(vae_prior(NULL, 0, 0, NULL), AE_ERROR_ARGUMENT, "vae_prior(NULL)");
  check_status(vae_sample(NULL, 0, 0, NULL), AE_ERROR_ARGUMENT, "vae_sample(NULL)");
  check_status(vae_sample_u8(NULL, 0, 0, NULL), AE_ERROR_ARGUMENT, "vae_sample_u8(NULL)");

  check_status(ae_compress_options_init(NULL, sizeof(ae_compress_options)), AE_ERROR_ARGUMENT,
               "ae_compress_options_init(NULL)");
  check_status(ae_compress(NULL, NULL, 0, NULL, NULL, 0, &size), AE_ERROR_ARGUMENT, "ae_compress(NULL)");
  check_status(ae_imageset_open(NULL, NULL, &set), AE_ERROR_ARGUMENT, "ae_imageset_open(NULL path)");
  check(set == NULL, "a failed open of a set stores NULL");
  check_status(ae_imageset_open("x", NULL, NULL), AE_ERROR_ARGUMENT, "ae_imageset_open(NULL out)");
  check_status(ae_imageset_open_memory(NULL, 1, NULL, &set), AE_ERROR_ARGUMENT,
               "ae_imageset_open_memory(NULL data)");
  check_status(ae_imageset_open_memory(room, SIZE_MAX, NULL, &set), AE_ERROR_ARGUMENT,
               "ae_imageset_open_memory(SIZE_MAX bytes)");
  check_status(ae_imageset_info(NULL, NULL), AE_ERROR_ARGUMENT, "ae_imageset_info(NULL)");
  check_status(ae_imageset_read(NULL, 0, 1, (uint8_t *)room), AE_ERROR_ARGUMENT, "ae_imageset_read(NULL)");
  check_status(ae_imageset_latents(NULL, 0, 1, (float *)room), AE_ERROR_ARGUMENT,
               "ae_imageset_latents(NULL)");
  check_status(ae_imageset_labels(NULL, 0, 1, (uint8_t *)room), AE_ERROR_ARGUMENT,
               "ae_imageset_labels(NULL)");
  check_status(ae_imageset_name(NULL, 0, NULL, 0, &size), AE_ERROR_ARGUMENT, "ae_imageset_name(NULL)");

  check_status(ae_trainer_options_init(NULL, sizeof(ae_trainer_options)), AE_ERROR_ARGUMENT,
               "ae_trainer_options_init(NULL)");
  check_status(ae_trainer_create(NULL, &trainer), AE_ERROR_ARGUMENT, "ae_trainer_create(NULL options)");
  check(trainer == NULL, "a failed create stores NULL");
  check_status(ae_trainer_create((ae_trainer_options *)room, NULL), AE_ERROR_ARGUMENT,
               "ae_trainer_create(NULL out)");
  check_status(ae_trainer_fit(NULL, (uint8_t *)room, 1), AE_ERROR_ARGUMENT, "ae_trainer_fit(NULL)");
  check_status(ae_trainer_step(NULL, (float *)room, 1, NULL), AE_ERROR_ARGUMENT, "ae_trainer_step(NULL)");
  model = (ae_model *)room;
  check_status(ae_trainer_model(NULL, NULL, 0, &model), AE_ERROR_ARGUMENT, "ae_trainer_model(NULL)");
  check(model == NULL, "a failed ae_trainer_model stores NULL");
  check_status(ae_trainer_save(NULL, NULL, 0, &size), AE_ERROR_ARGUMENT, "ae_trainer_save(NULL)");
  check_status(ae_trainer_resume(NULL, 1, NULL, &trainer), AE_ERROR_ARGUMENT, "ae_trainer_resume(NULL data)");
  check_status(ae_trainer_save_file(NULL, "x"), AE_ERROR_ARGUMENT, "ae_trainer_save_file(NULL)");
  check_status(ae_trainer_resume_file(NULL, NULL, &trainer), AE_ERROR_ARGUMENT, "ae_trainer_resume_file(NULL path)");
  check_status(ae_trainer_resume_file("x", NULL, NULL), AE_ERROR_ARGUMENT, "ae_trainer_resume_file(NULL out)");
  check_status(ae_compress_file(NULL, NULL, 0, NULL, "x"), AE_ERROR_ARGUMENT, "ae_compress_file(NULL)");
  check_status(ae_trainer_resume(room, 0, NULL, &trainer), AE_ERROR_FORMAT, "no bytes are no checkpoint");
  check_status(ae_trainer_resume(room, 8, NULL, NULL), AE_ERROR_ARGUMENT, "ae_trainer_resume(NULL out)");

  check_status(ae_encode((ae_model *)room, (float *)room, 1, (float *)room), AE_ERROR_ARGUMENT,
               "memory that is no handle is refused");
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

  test_nulls();
}
