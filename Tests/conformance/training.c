/* Training: options and their limits, callbacks, steps, and the promises on repeatable runs. */
#define _XOPEN_SOURCE 700
#include "check.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct told {
  int calls, stop_at, lines;
  ae_training_progress last;
} told;

static int32_t on_progress(void *context, const ae_training_progress *progress) {
  told *t = context;
  t->last = *progress;
  return ++t->calls == t->stop_at;
}

static void on_log(void *context, const char *message) {
  told *t = context;
  if (message != NULL && message[0] != 0 && strchr(message, '\n') == NULL) t->lines++;
}

/* The weights of a trainer as a file's bytes. */
static void *weights(const ae_trainer *trainer, size_t *size) {
  ae_model *model = NULL;
  void *bytes;
  if (ae_trainer_model(trainer, NULL, 0, &model) != AE_OK) require(NULL);
  bytes = saved(model, AE_STORAGE_FLOAT32, 0, size);
  ae_model_free(model);
  return bytes;
}

static void *checkpoint(const ae_trainer *trainer, size_t *size) {
  void *bytes;
  if (ae_trainer_save(trainer, NULL, 0, size) != AE_OK) require(NULL);
  bytes = require(malloc(*size));
  if (ae_trainer_save(trainer, bytes, *size, size) != AE_OK) require(NULL);
  return bytes;
}

static void *unbroken(int32_t kind, int32_t threads, size_t *size) {
  ae_trainer_options options;
  ae_trainer *trainer = NULL;
  void *bytes;
  small_options(&options, kind);
  options.noise = kind == AE_KIND_ELU ? 0.1 : 0;
  options.binarize = kind == AE_KIND_VAE;
  options.weight_average = 0.9;
  options.schedule = AE_SCHEDULE_COSINE;
  options.validation_fraction = 0.1;
  ae_set_threads(threads);
  if (ae_trainer_create(&options, &trainer) != AE_OK || ae_trainer_fit(trainer, pixels, COUNT) != AE_OK)
    require(NULL);
  ae_set_threads(2);
  bytes = weights(trainer, size);
  ae_trainer_free(trainer);
  return bytes;
}

static void test_repeatable(int32_t kind, const char *name) {
  size_t size = 0, other_size = 0, saved_size = 0, used = 0;
  void *whole = unbroken(kind, 2, &size), *other = unbroken(kind, 1, &other_size), *file;
  ae_trainer_options options;
  ae_trainer *trainer = NULL, *resumed = NULL;
  told t = {0, 2, 0, {0}};
  check(size == other_size && memcmp(whole, other, size) == 0, "%s: one thread and two give the same bytes", name);
  free(other);

  small_options(&options, kind);
  options.noise = kind == AE_KIND_ELU ? 0.1 : 0;
  options.binarize = kind == AE_KIND_VAE;
  options.weight_average = 0.9;
  options.schedule = AE_SCHEDULE_COSINE;
  options.validation_fraction = 0.1;
  options.progress = on_progress;
  options.log = on_log;
  options.context = &t;
  options.progress_interval = 70;
  if (ae_trainer_create(&options, &trainer) != AE_OK) require(NULL);
  check_status(ae_trainer_fit(trainer, pixels, COUNT), AE_ERROR_STOPPED, "%s: the callback stops it", name);
  check(t.calls == 2 && t.last.step == 140 && t.last.step_count == STEPS, "%s: after two reports", name);
  check(t.last.struct_size == sizeof t.last && t.last.mse > 0 && t.last.mse < 1 && isfinite(t.last.loss) &&
            fabs(t.last.psnr + 10 * log10(t.last.mse)) < 1e-6 && t.last.learning_rate > 0 &&
            t.last.seconds >= 0 && t.last.validation_mse > 0,
        "%s: which are complete", name);
  check(t.lines >= 3, "%s: and lines for the log", name);

  file = checkpoint(trainer, &saved_size);
  check_status(ae_trainer_save(trainer, file, saved_size - 1, &used), AE_ERROR_BUFFER, "%s: one byte too few", name);
  t.stop_at = 0;
  check_status(ae_trainer_fit(trainer, pixels, COUNT), AE_OK, "%s: goes on", name);
  check(t.last.step == STEPS, "%s: to the last step", name);
  other = weights(trainer, &other_size);
  check(size == other_size && memcmp(whole, other, size) == 0, "%s: and ends as the unbroken run", name);
  free(other);
  check_status(ae_trainer_fit(trainer, pixels, COUNT), AE_OK, "%s: nothing is left to do", name);
  ae_trainer_free(trainer);

  options.progress_interval = 1;
  t.calls = 0;
  if (check_status(ae_trainer_resume(file, saved_size, &options, &resumed), AE_OK, "%s: a checkpoint resumes", name)) {
    memset(file, 0, saved_size);
    ae_set_threads(1);
    check_status(ae_trainer_fit(resumed, pixels, COUNT), AE_OK, "%s: and trains on", name);
    ae_set_threads(2);
    check(t.calls == STEPS - 140, "%s: with the callbacks it was given", name);
    other = weights(resumed, &other_size);
    check(size == other_size && memcmp(whole, other, size) == 0, "%s: to the unbroken run's bytes", name);
    free(other);
    ae_trainer_free(resumed);
  }
  free(file);
  free(whole);
}

static int32_t on_poll(void *context) { return ++*(int *)context == 2; }

/* Training can be stopped long before its first report. */
static void test_poll(void) {
  ae_trainer_options options;
  ae_trainer *trainer = NULL;
  int polled = 0;
  small_options(&options, AE_KIND_ELU);
  options.step_count = options.progress_interval = UINT64_C(1) << 32;
  options.poll = on_poll;
  options.context = &polled;
  if (ae_trainer_create(&options, &trainer) != AE_OK) require(NULL);
  check_status(ae_trainer_fit(trainer, pixels, COUNT), AE_ERROR_STOPPED, "a poll stops training");
  check(polled == 2, "when it asks for it");
  ae_trainer_free(trainer);
}

/* Checkpoints and sets in files: the bytes of those in memory, links followed, permissions kept, a device written to. */
static void test_files(void) {
  char folder[] = "/tmp/libae-conformance-XXXXXX", path[64], link[64], none[64];
  ae_trainer_options options;
  ae_trainer *trainer = NULL, *resumed = NULL;
  ae_imageset *set = NULL;
  struct stat status;
  size_t size = 0, set_size = 0;
  void *bytes, *packed;
  char *back;
  FILE *file;
  if (mkdtemp(folder) == NULL) require(NULL);
  snprintf(path, sizeof path, "%s/run", folder);
  snprintf(link, sizeof link, "%s/link", folder);
  snprintf(none, sizeof none, "%s/none/run", folder);
  small_options(&options, AE_KIND_ELU);
  if (ae_trainer_create(&options, &trainer) != AE_OK) require(NULL);
  bytes = checkpoint(trainer, &size);
  back = require(malloc(size + 1));
  file = require(fopen(path, "w"));
  fclose(file);
  if (chmod(path, 0600) != 0 || symlink("run", link) != 0) require(NULL);
  check_status(ae_trainer_save_file(trainer, link), AE_OK, "a checkpoint is saved through a link");
  check(lstat(link, &status) == 0 && S_ISLNK(status.st_mode), "which stays one");
  check(lstat(path, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0777) == 0600,
        "the file keeps its permissions");
  file = require(fopen(path, "rb"));
  check(fread(back, 1, size + 1, file) == size && memcmp(back, bytes, size) == 0, "and has ae_trainer_save's bytes");
  fclose(file);
  check_status(ae_trainer_resume_file(link, NULL, &resumed), AE_OK, "and resumes");
  ae_trainer_free(resumed);
  check_status(ae_trainer_save_file(trainer, "/dev/null"), AE_OK, "a device is written to");
  check(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode), "and stays one");
  check_status(ae_trainer_save_file(trainer, folder), AE_ERROR_IO, "a folder is refused");
  check(ae_last_errno() == EISDIR, "with EISDIR");
  check_status(ae_trainer_save_file(trainer, none), AE_ERROR_IO, "a folder that is not there");
  check(ae_last_errno() == ENOENT && strstr(ae_last_error(), none) != NULL, "is ENOENT and named");
  check_status(ae_trainer_resume_file(none, NULL, &resumed), AE_ERROR_IO, "a checkpoint that is not there");
  check(resumed == NULL && ae_last_errno() == ENOENT, "is ENOENT");

  packed = compressed(elu, COUNT, NULL, &set_size);
  check_status(ae_compress_file(elu, pixels, COUNT, NULL, path), AE_OK, "a set is packed to a file");
  file = require(fopen(path, "rb"));
  free(back);
  back = require(malloc(set_size + 1));
  check(fread(back, 1, set_size + 1, file) == set_size && memcmp(back, packed, set_size) == 0,
        "of ae_compress's bytes");
  fclose(file);
  check_status(ae_imageset_open(none, elu, &set), AE_ERROR_IO, "a set that is not there");
  check(ae_last_errno() == ENOENT, "is ENOENT");
  free(packed);
  free(back);
  free(bytes);
  ae_trainer_free(trainer);
  unlink(link);
  unlink(path);
  check(rmdir(folder) == 0, "nothing else is left in the folder");
}

static void test_option(const char *what, ae_trainer_options *options) {
  ae_trainer *trainer = (ae_trainer *)options;
  ae_status status = ae_trainer_create(options, &trainer);
  check(status == AE_ERROR_ARGUMENT && trainer == NULL && ae_last_error()[0] != 0, "%s is refused: %s", what,
        status == AE_ERROR_ARGUMENT ? ae_last_error() : ae_status_string(status));
  if (status == AE_OK) ae_trainer_free(trainer);
}

#define REFUSED(field, value)                                                                                \
  do {                                                                                                       \
    ae_trainer_options options_;                                                                             \
    small_options(&options_, AE_KIND_VAE);                                                                   \
    options_.field = (value);                                                                                \
    test_option(#field " = " #value, &options_);                                                             \
  } while (0)

static void test_options(void) {
  static const int32_t bad_hidden[] = {24, 0}, long_hidden[] = {4097};
  ae_trainer_options options;
  ae_trainer *trainer = NULL;
  struct {
    ae_trainer_options known;
    char later[24];
  } longer;

  check_status(ae_trainer_options_init(&options, sizeof options), AE_OK, "options have defaults");
  check(options.struct_size == sizeof options && options.kind == AE_KIND_ELU && options.width == 28 &&
            options.height == 28 && options.hidden == NULL && options.hidden_count == 0 && options.loss == -1 &&
            options.output == -1 && options.schedule == AE_SCHEDULE_CONSTANT && options.batch_size == 100 &&
            options.step_count == 50000 && options.seed == 1 && options.learning_rate == 1e-3 &&
            options.beta == 1 && options.progress_interval == 500 && options.name == NULL,
        "which are the header's");
  check_status(ae_trainer_options_init(&options, 0), AE_ERROR_VERSION, "options of 0 bytes");
  check_status(ae_trainer_options_init(&options, SIZE_MAX), AE_ERROR_VERSION, "options of SIZE_MAX bytes");
  small_options(&options, AE_KIND_ELU);
  options.struct_size = sizeof options - 8;
  check_status(ae_trainer_create(&options, &trainer), AE_ERROR_VERSION, "options 8 bytes short");
  options.struct_size = SIZE_MAX;
  check_status(ae_trainer_create(&options, &trainer), AE_ERROR_VERSION, "options of SIZE_MAX bytes, in use");
  memset(&longer, 0, sizeof longer);
  small_options(&longer.known, AE_KIND_ELU);
  longer.known.struct_size = sizeof longer;
  if (check_status(ae_trainer_create(&longer.known, &trainer), AE_OK, "options of a later version"))
    ae_trainer_free(trainer);
  longer.later[23] = 1;
  check_status(ae_trainer_create(&longer.known, &trainer), AE_ERROR_VERSION, "that ask for what is not known");
  check(trainer == NULL, "give no trainer");

  REFUSED(kind, -1);
  REFUSED(kind, 7);
  REFUSED(kind, 256);
  REFUSED(width, 0);
  REFUSED(width, 65);
  REFUSED(width, INT32_MIN);
  REFUSED(height, -1);
  REFUSED(height, INT32_MAX);
  REFUSED(latent_size, -1);
  REFUSED(latent_size, 1025);
  REFUSED(hidden_count, -1);
  REFUSED(hidden_count, 9);
  REFUSED(hidden_count, INT32_MIN);
  REFUSED(hidden, NULL);
  REFUSED(hidden, long_hidden);
  REFUSED(loss, 2);
  REFUSED(loss, -2);
  REFUSED(output, 2);
  REFUSED(output, AE_OUTPUT_LINEAR); /* with the Bernoulli loss */
  REFUSED(schedule, 3);
  REFUSED(schedule, -1);
  REFUSED(batch_size, 0);
  REFUSED(batch_size, -1);
  REFUSED(batch_size, 65537);
  REFUSED(step_count, 0);
  REFUSED(step_count, UINT64_MAX);
  REFUSED(learning_rate, 0);
  REFUSED(learning_rate, -1);
  REFUSED(learning_rate, NAN);
  REFUSED(learning_rate, INFINITY);
  REFUSED(beta, NAN);
  REFUSED(beta, -1);
  REFUSED(beta_warmup_steps, UINT64_MAX);
  REFUSED(importance_warmup_steps, UINT64_MAX);
  REFUSED(noise, NAN);
  REFUSED(noise, -0.1);
  REFUSED(gradient_clip, NAN);
  REFUSED(gradient_clip, -1);
  REFUSED(weight_average, 1);
  REFUSED(weight_average, NAN);
  REFUSED(validation_fraction, 0.6);
  REFUSED(validation_fraction, NAN);
  REFUSED(binarize, 2);
  REFUSED(progress_interval, 0);
  REFUSED(name, "0123456789012345678901234567890123456789012345678901234567890123x");
  REFUSED(name, "not \xff UTF-8");
  small_options(&options, AE_KIND_ELU);
  options.hidden = bad_hidden;
  options.hidden_count = 2;
  test_option("a hidden width of 0", &options);

  small_options(&options, AE_KIND_VAE);
  options.latent_size = 0;
  if (check_status(ae_trainer_create(&options, &trainer), AE_OK, "latent_size 0")) {
    ae_model *model = NULL;
    if (ae_trainer_model(trainer, NULL, 0, &model) != AE_OK) require(NULL);
    check(ae_latent_size(model) == 20, "is 20 for a vae");
    ae_model_free(model);
    ae_trainer_free(trainer);
  }
}

static void test_steps(void) {
  static float batch[64 * SIZE];
  ae_trainer_options options;
  ae_trainer *trainer = NULL;
  ae_training_progress progress;
  double first = 0;
  for (int i = 0; i < 64 * SIZE; i++) batch[i] = pixels[i] / 255.0f;
  small_options(&options, AE_KIND_RELU);
  if (ae_trainer_create(&options, &trainer) != AE_OK) require(NULL);
  memset(&progress, 0xEE, sizeof progress);
  progress.struct_size = sizeof progress;
  check_status(ae_trainer_step(trainer, batch, 64, &progress), AE_OK, "one step");
  check(progress.step == 1 && progress.mse > 0 && progress.validation_mse == -1, "is reported");
  first = progress.mse;
  for (int i = 0; i < 200; i++)
    if (ae_trainer_step(trainer, batch, 64, NULL) != AE_OK) require(NULL);
  check_status(ae_trainer_step(trainer, batch, 64, &progress), AE_OK, "200 more");
  check(progress.step == 202 && progress.mse < first / 2, "help (%.4f to %.4f)", first, progress.mse);
  check_status(ae_trainer_step(trainer, batch, 0, NULL), AE_ERROR_ARGUMENT, "a batch of none");
  check_status(ae_trainer_step(trainer, NULL, 1, NULL), AE_ERROR_ARGUMENT, "a batch of NULL");
  check_status(ae_trainer_step(trainer, batch, SIZE_MAX, NULL), AE_ERROR_ARGUMENT, "a batch of SIZE_MAX");
  check_status(ae_trainer_step(trainer, batch, 65537, NULL), AE_ERROR_ARGUMENT, "a batch of 65537");
  batch[77] = NAN;
  check_status(ae_trainer_step(trainer, batch, 64, NULL), AE_ERROR_ARGUMENT, "a batch with NaN");
  batch[77] = 0;
  progress.struct_size = 16;
  check_status(ae_trainer_step(trainer, batch, 64, &progress), AE_ERROR_VERSION, "a progress struct too short");
  progress.struct_size = sizeof progress;
  check_status(ae_trainer_step(trainer, batch, 64, &progress), AE_OK, "and a right one");
  check(progress.step == 203, "errors made no step");
  check_status(ae_trainer_fit(trainer, pixels, 0), AE_ERROR_ARGUMENT, "a fit on no images");
  check_status(ae_trainer_fit(trainer, NULL, 5), AE_ERROR_ARGUMENT, "a fit on NULL");
  check_status(ae_trainer_fit(trainer, pixels, SIZE_MAX), AE_ERROR_ARGUMENT, "a fit on SIZE_MAX images");
  check_status(ae_trainer_fit(trainer, pixels, 1), AE_OK, "a fit on one image");
  ae_trainer_free(trainer);

  small_options(&options, AE_KIND_ELU);
  if (ae_trainer_create(&options, &trainer) != AE_OK) require(NULL);
  for (int i = 0; i < 64 * SIZE; i++) batch[i] = 3e38f;
  check_status(ae_trainer_step(trainer, batch, 64, NULL), AE_ERROR_DIVERGED, "pixels of 3e38 diverge");
  check_status(ae_trainer_fit(trainer, pixels, COUNT), AE_OK, "and do the trainer no harm");
  ae_trainer_free(trainer);
}

static void test_pca(void) {
  ae_trainer_options options;
  ae_trainer *trainer = NULL;
  ae_model *model = NULL;
  static float batch[SIZE], latents[COUNT * LATENTS];
  double means[LATENTS] = {0}, variances[LATENTS] = {0};
  told t = {0, 0, 0, {0}};
  small_options(&options, AE_KIND_PCA);
  options.hidden = NULL;
  options.hidden_count = 0;
  options.progress = on_progress;
  options.context = &t;
  if (!check_status(ae_trainer_create(&options, &trainer), AE_OK, "a pca")) return;
  check_status(ae_trainer_model(trainer, NULL, 0, &model), AE_ERROR_KIND, "has no model before it is fitted");
  check_status(ae_trainer_step(trainer, batch, 1, NULL), AE_ERROR_KIND, "and no steps");
  check_status(ae_trainer_fit(trainer, pixels, COUNT), AE_OK, "is fitted");
  check(t.calls >= 1 && t.last.mse > 0, "and reported");
  if (check_status(ae_trainer_model(trainer, pixels, COUNT, &model), AE_OK, "and gives a model")) {
    if (ae_encode_u8(model, pixels, COUNT, latents) != AE_OK) require(NULL);
    for (int j = 0; j < LATENTS; j++) {
      for (int i = 0; i < COUNT; i++) means[j] += latents[i * LATENTS + j] / COUNT;
      for (int i = 0; i < COUNT; i++) variances[j] += pow(latents[i * LATENTS + j] - means[j], 2) / COUNT;
    }
    check(fabs(means[0]) < 1e-4 && fabs(means[LATENTS - 1]) < 1e-4, "its codes are centred");
    check(variances[0] > variances[1] && variances[1] > variances[2] && variances[2] > variances[3] &&
              variances[3] > 0,
          "and ranked");
    ae_model_free(model);
  }
  ae_trainer_free(trainer);
}

void test_training(void) {
  ae_model *model = NULL;
  ae_trainer *trainer = NULL;
  ae_trainer_options options;
  test_options();
  test_repeatable(AE_KIND_ELU, "elu");
  test_repeatable(AE_KIND_VAE, "vae");
  test_repeatable(AE_KIND_CONV_VAE, "conv-vae");
  test_steps();
  test_pca();
  test_files();
  test_poll();

  small_options(&options, AE_KIND_LINEAR);
  if (ae_trainer_create(&options, &trainer) != AE_OK) require(NULL);
  check_status(ae_trainer_model(trainer, NULL, 0, NULL), AE_ERROR_ARGUMENT, "a model into NULL");
  check_status(ae_trainer_model(trainer, NULL, 3, &model), AE_ERROR_ARGUMENT, "a codec from images at NULL");
  check_status(ae_trainer_model(trainer, pixels, SIZE_MAX, &model), AE_ERROR_ARGUMENT, "from SIZE_MAX images");
  check_status(ae_trainer_model(trainer, pixels, 1, &model), AE_OK, "from a single one");
  ae_model_free(model);
  ae_trainer_free(trainer);
}
