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

/* What is told of training, to whom. */
static ae_trainer_callbacks callbacks_of(told *t, uint64_t interval) {
  ae_trainer_callbacks callbacks = {sizeof callbacks, 0, on_progress, on_log, NULL, NULL};
  callbacks.progress_interval = interval;
  callbacks.context = t;
  return callbacks;
}

static const char *variants(int32_t kind) {
  return kind == AE_KIND_ELU   ? "noise=0.1 weight_average=0.9 schedule=cosine validation_fraction=0.1"
         : kind == AE_KIND_VAE ? "binarize=true weight_average=0.9 schedule=cosine validation_fraction=0.1"
                               : "weight_average=0.9 schedule=cosine validation_fraction=0.1";
}

static void *unbroken(int32_t kind, int32_t threads, size_t *size) {
  ae_trainer *trainer;
  void *bytes;
  ae_set_threads(threads);
  trainer = trainer_of(kind, variants(kind));
  if (ae_trainer_fit(trainer, pixels, COUNT) != AE_OK) require(NULL);
  ae_set_threads(2);
  bytes = weights(trainer, size);
  ae_trainer_free(trainer);
  return bytes;
}

static void test_repeatable(int32_t kind, const char *name) {
  size_t size = 0, other_size = 0, saved_size = 0, used = 0;
  void *whole = unbroken(kind, 2, &size), *other = unbroken(kind, 1, &other_size), *file;
  ae_trainer *trainer, *resumed = NULL;
  told t = {0, 2, 0, {0}};
  ae_trainer_callbacks callbacks = callbacks_of(&t, 70);
  check(size == other_size && memcmp(whole, other, size) == 0, "%s: one thread and two give the same bytes", name);
  free(other);

  trainer = trainer_of(kind, variants(kind));
  check_status(ae_trainer_set_callbacks(trainer, &callbacks), AE_OK, "%s: callbacks are set", name);
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

  callbacks.progress_interval = 1;
  t.calls = 0;
  if (check_status(ae_trainer_resume(NULL, file, saved_size, &resumed), AE_OK, "%s: a checkpoint resumes", name)) {
    memset(file, 0, saved_size);
    if (ae_trainer_set_callbacks(resumed, &callbacks) != AE_OK) require(NULL);
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
  ae_trainer *trainer = trainer_of(AE_KIND_ELU, "steps=4294967296");
  int polled = 0;
  ae_trainer_callbacks callbacks = {sizeof callbacks, UINT64_C(1) << 32, NULL, NULL, on_poll, NULL};
  callbacks.context = &polled;
  if (ae_trainer_set_callbacks(trainer, &callbacks) != AE_OK) require(NULL);
  check_status(ae_trainer_fit(trainer, pixels, COUNT), AE_ERROR_STOPPED, "a poll stops training");
  check(polled == 2, "when it asks for it");
  ae_trainer_free(trainer);
}

/* Callbacks can be set, replaced and taken away; the struct follows the rules of all structs. */
static void test_callbacks(void) {
  struct {
    ae_trainer_callbacks known;
    char later[16];
  } longer;
  told first = {0, 0, 0, {0}}, second = {0, 0, 0, {0}};
  ae_trainer_callbacks one = callbacks_of(&first, 0), other = callbacks_of(&second, 100);
  ae_trainer *trainer = trainer_of(AE_KIND_ELU, "");
  check_status(ae_trainer_set_callbacks(trainer, &one), AE_OK, "callbacks");
  check_status(ae_trainer_fit(trainer, pixels, COUNT), AE_OK, "are told");
  check(first.calls == STEPS / 500, "every 500 steps unless told otherwise (%d calls)", first.calls);
  ae_trainer_free(trainer);
  trainer = trainer_of(AE_KIND_ELU, "");
  first.calls = 0;
  if (ae_trainer_set_callbacks(trainer, &one) != AE_OK) require(NULL);
  check_status(ae_trainer_set_callbacks(trainer, &other), AE_OK, "others instead of them");
  memset(&other, 0, sizeof other); /* the struct may go */
  second.stop_at = 3;
  check_status(ae_trainer_fit(trainer, pixels, COUNT), AE_ERROR_STOPPED, "are told, and stop it");
  check(first.calls == 0 && second.calls == 3 && second.last.step == 300, "they alone");
  check_status(ae_trainer_set_callbacks(trainer, NULL), AE_OK, "nobody at all");
  check_status(ae_trainer_fit(trainer, pixels, COUNT), AE_OK, "is told");
  check(first.calls == 0 && second.calls == 3, "and called");
  one.struct_size = sizeof one - 8;
  check_status(ae_trainer_set_callbacks(trainer, &one), AE_ERROR_VERSION, "callbacks 8 bytes short");
  one.struct_size = 0;
  check_status(ae_trainer_set_callbacks(trainer, &one), AE_ERROR_VERSION, "of no size");
  one.struct_size = SIZE_MAX;
  check_status(ae_trainer_set_callbacks(trainer, &one), AE_ERROR_VERSION, "of SIZE_MAX bytes");
  memset(&longer, 0, sizeof longer);
  longer.known.struct_size = sizeof longer;
  check_status(ae_trainer_set_callbacks(trainer, &longer.known), AE_OK, "of a later version");
  longer.later[15] = 1;
  check_status(ae_trainer_set_callbacks(trainer, &longer.known), AE_ERROR_VERSION, "that ask for what is not known");
  one.struct_size = sizeof one;
  check_status(ae_trainer_set_callbacks(NULL, &one), AE_ERROR_ARGUMENT, "callbacks of no trainer");
  check_status(ae_trainer_set_callbacks((ae_trainer *)(void *)elu, &one), AE_ERROR_ARGUMENT, "of a model");
  ae_trainer_free(trainer);
}

/* A trainer tells its options, which make another of the same run. */
static void test_get_options(void) {
  static const char *const keys[] = {"kind", "width", "latent_size", "hidden", "steps", "seed", "noise", "name"};
  static const char *const values[] = {"elu", "16", "4", "24", "1000", "7", "0.125", "mine"};
  ae_trainer *trainer = trainer_of(AE_KIND_ELU, "noise=0.125 name=mine"), *other = NULL;
  ae_options *options = NULL;
  char text[64];
  size_t size = 0, other_size = 0;
  void *bytes, *others;
  if (!check_status(ae_trainer_get_options(trainer, &options), AE_OK, "a trainer tells its options")) return;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    check(ae_options_get(options, keys[i], text, sizeof text, &size) == AE_OK && strcmp(text, values[i]) == 0,
          "%s is %s", keys[i], values[i]);
  check_status(ae_options_set(options, "steps", "10"), AE_OK, "they are a copy");
  check_status(ae_options_set(options, "steps", "1000"), AE_OK, "to be changed");
  check_status(ae_trainer_create(NULL, options, &other), AE_OK, "and another trainer is made of them");
  bytes = checkpoint(trainer, &size);
  others = checkpoint(other, &other_size);
  check(size == other_size && memcmp(bytes, others, size) == 0, "just as the first");
  free(bytes);
  free(others);
  ae_options_free(options);
  ae_trainer_free(other);
  other = NULL;
  bytes = checkpoint(trainer, &size);
  if (ae_trainer_resume(NULL, bytes, size, &other) != AE_OK || ae_trainer_get_options(other, &options) != AE_OK)
    require(NULL);
  check(ae_options_get(options, "name", text, sizeof text, &size) == AE_OK && strcmp(text, "mine") == 0 &&
            ae_options_get(options, "noise", text, sizeof text, &size) == AE_OK && strcmp(text, "0.125") == 0,
        "a resumed one has them from its checkpoint");
  free(bytes);
  ae_options_free(options);
  ae_trainer_free(other);
  check_status(ae_trainer_get_options(NULL, &options), AE_ERROR_ARGUMENT, "options of no trainer");
  check(options == NULL, "are none");
  check_status(ae_trainer_get_options((ae_trainer *)(void *)elu, &options), AE_ERROR_ARGUMENT, "nor of a model");
  check_status(ae_trainer_get_options(trainer, NULL), AE_ERROR_ARGUMENT, "options into NULL");
  ae_trainer_free(trainer);
}

/* Training that starts from a model's weights. */
static void test_create_from(void) {
  static const char *const otherwise[] = {"kind=relu", "latent_size=5", "hidden=25", "width=15"};
  ae_options *options = options_of(AE_OPTIONS_TRAINING, "steps=200 batch_size=32 seed=3");
  ae_trainer *trainer = NULL;
  ae_model *model = NULL, *integer = NULL;
  size_t size = 0, other_size = 0;
  void *before = NULL, *after;
  if (check_status(ae_trainer_create_from(NULL, elu, options, &trainer), AE_OK, "a trainer starts from a model")) {
    ae_trainer *resumed = NULL;
    check_status(ae_trainer_model(trainer, NULL, 0, &model), AE_OK, "before its first step");
    static float of_model[COUNT * LATENTS], of_trainer[COUNT * LATENTS];
    if (ae_encode_u8(NULL, elu, pixels, COUNT, of_model) != AE_OK ||
        ae_encode_u8(NULL, model, pixels, COUNT, of_trainer) != AE_OK)
      require(NULL);
    check(memcmp(of_model, of_trainer, sizeof of_model) == 0, "it has the model's weights");
    ae_model_free(model);
    check_status(ae_trainer_fit(trainer, pixels, COUNT), AE_OK, "and trains on");
    before = weights(trainer, &size);
    after = checkpoint(trainer, &other_size);
    check_status(ae_trainer_resume(NULL, after, other_size, &resumed), AE_OK, "its checkpoint resumes");
    free(after);
    after = weights(resumed, &other_size);
    check(size == other_size && memcmp(before, after, size) == 0, "with its weights");
    free(after);
    free(before);
    ae_trainer_free(resumed);
  }
  ae_trainer_free(trainer);
  check_status(ae_trainer_create_from(NULL, elu, NULL, &trainer), AE_OK, "with no options but the model's");
  ae_trainer_free(trainer);
  for (size_t i = 0; i < sizeof otherwise / sizeof *otherwise; i++) {
    ae_options *wrong = options_of(AE_OPTIONS_TRAINING, otherwise[i]);
    check_status(ae_trainer_create_from(NULL, elu, wrong, &trainer), AE_ERROR_ARGUMENT, "%s, which the model is not",
                 otherwise[i]);
    check(trainer == NULL, "makes none");
    ae_options_free(wrong);
  }
  {
    ae_options *right = options_of(AE_OPTIONS_TRAINING, "kind=elu latent_size=4 hidden=24 width=16 height=12");
    check_status(ae_trainer_create_from(NULL, elu, right, &trainer), AE_OK, "what the model is may be said");
    ae_trainer_free(trainer);
    ae_options_free(right);
  }
  before = saved(elu, AE_STORAGE_INT8, 0, &size);
  if (ae_model_open_memory(NULL, before, size, &integer) != AE_OK) require(NULL);
  free(before);
  check_status(ae_trainer_create_from(NULL, integer, options, &trainer), AE_ERROR_KIND, "from integers none starts");
  check(trainer == NULL, "nor is made");
  ae_model_free(integer);
  check_status(ae_trainer_create_from(NULL, NULL, options, &trainer), AE_ERROR_ARGUMENT, "from no model");
  check_status(ae_trainer_create_from(NULL, elu, options, NULL), AE_ERROR_ARGUMENT, "into NULL");
  check_status(ae_trainer_create_from(NULL, elu, (ae_options *)(void *)elu, &trainer), AE_ERROR_ARGUMENT,
               "with a model for options");
  ae_options_free(options);
  options = options_of(AE_OPTIONS_COMPRESSION, "");
  check_status(ae_trainer_create_from(NULL, elu, options, &trainer), AE_ERROR_ARGUMENT, "with options of another table");
  check_status(ae_trainer_create(NULL, options, &trainer), AE_ERROR_ARGUMENT, "nor is a trainer made of those");
  ae_options_free(options);
}

/* Checkpoints and sets in files: the bytes of those in memory, links followed, permissions kept, a device written to. */
static void test_files(void) {
  char folder[] = "/tmp/libae-conformance-XXXXXX", path[64], link[64], none[64];
  ae_trainer *trainer = trainer_of(AE_KIND_ELU, ""), *resumed = NULL;
  ae_writer *writer = NULL;
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
  check_status(ae_trainer_resume_file(NULL, link, &resumed), AE_OK, "and resumes");
  ae_trainer_free(resumed);
  check_status(ae_trainer_save_file(trainer, "/dev/null"), AE_OK, "a device is written to");
  check(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode), "and stays one");
  check_status(ae_trainer_save_file(trainer, folder), AE_ERROR_IO, "a folder is refused");
  check(ae_last_errno() == EISDIR, "with EISDIR");
  check_status(ae_trainer_save_file(trainer, none), AE_ERROR_IO, "a folder that is not there");
  check(ae_last_errno() == ENOENT && strstr(ae_last_error(), none) != NULL, "is ENOENT and named");
  check_status(ae_trainer_resume_file(NULL, none, &resumed), AE_ERROR_IO, "a checkpoint that is not there");
  check(resumed == NULL && ae_last_errno() == ENOENT, "is ENOENT");

  packed = compressed(elu, COUNT, NULL, "", &set_size);
  check_status(ae_writer_create_file(NULL, elu, NULL, path, &writer), AE_OK, "a set is packed to a file");
  check_status(ae_writer_add(writer, pixels, COUNT, NULL, NULL), AE_OK, "with all its images");
  check_status(ae_writer_finish(writer), AE_OK, "and finished");
  ae_writer_free(writer);
  file = require(fopen(path, "rb"));
  free(back);
  back = require(malloc(set_size + 1));
  check(fread(back, 1, set_size + 1, file) == set_size && memcmp(back, packed, set_size) == 0,
        "of ae_compress's bytes");
  fclose(file);
  check_status(ae_imageset_open(NULL, none, elu, &set), AE_ERROR_IO, "a set that is not there");
  check(ae_last_errno() == ENOENT, "is ENOENT");
  free(packed);
  free(back);
  free(bytes);
  ae_trainer_free(trainer);
  unlink(link);
  unlink(path);
  check(rmdir(folder) == 0, "nothing else is left in the folder");
}

/* What does not go together, and what no option may be. */
static void test_refusals(void) {
  static const struct {
    int32_t kind;
    const char *options;
  } wrong[] = {{AE_KIND_VAE, "output_activation=linear"}, /* with the Bernoulli loss */
               {AE_KIND_ELU, "loss=bernoulli output_activation=linear"},
               {AE_KIND_ELU, "importance_samples=2"},
               {AE_KIND_VAE, "rd_lambda=0.1"},
               {AE_KIND_ELU, "optimizer=muon"},
               {AE_KIND_PCA, "noise=0.1"},
               {AE_KIND_PCA, "binarize=true"},
               {AE_KIND_ELU, "hidden=24,24,24,24,24,24,24,24,24"},
               {AE_KIND_CONV_VAE, "hidden=1025,24"}};
  ae_trainer *trainer = (ae_trainer *)(void *)elu;
  ae_model *model = NULL;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    ae_options *options = small_options(wrong[i].kind, wrong[i].options);
    ae_status status = ae_trainer_create(NULL, options, &trainer);
    check(status == AE_ERROR_ARGUMENT && trainer == NULL && ae_last_error()[0] != 0, "%s is refused: %s",
          wrong[i].options, status == AE_ERROR_ARGUMENT ? ae_last_error() : ae_status_string(status));
    if (status == AE_OK) ae_trainer_free(trainer);
    ae_options_free(options);
  }
  check_status(ae_trainer_create(NULL, NULL, &trainer), AE_OK, "all defaults");
  if (ae_trainer_model(trainer, NULL, 0, &model) != AE_OK) require(NULL);
  check(ae_latent_size(model) == 5 && ae_input_size(model) == 784, "are 5 numbers and 28 x 28 pixels");
  ae_model_free(model);
  ae_trainer_free(trainer);
  trainer = trainer_of(AE_KIND_VAE, "latent_size=auto");
  if (ae_trainer_model(trainer, NULL, 0, &model) != AE_OK) require(NULL);
  check(ae_latent_size(model) == 20, "latent_size auto is 20 for a vae");
  ae_model_free(model);
  ae_trainer_free(trainer);
}

static void test_steps(void) {
  static float batch[64 * SIZE];
  ae_trainer *trainer;
  ae_training_progress progress;
  double first = 0;
  for (int i = 0; i < 64 * SIZE; i++) batch[i] = pixels[i] / 255.0f;
  trainer = trainer_of(AE_KIND_RELU, "");
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

  trainer = trainer_of(AE_KIND_ELU, "");
  for (int i = 0; i < 64 * SIZE; i++) batch[i] = 3e38f;
  check_status(ae_trainer_step(trainer, batch, 64, NULL), AE_ERROR_DIVERGED, "pixels of 3e38 diverge");
  check_status(ae_trainer_fit(trainer, pixels, COUNT), AE_OK, "and do the trainer no harm");
  ae_trainer_free(trainer);
}

static void test_pca(void) {
  ae_options *options = small_options(AE_KIND_PCA, "hidden=auto");
  ae_trainer *trainer = NULL;
  ae_model *model = NULL;
  static float batch[SIZE], latents[COUNT * LATENTS];
  double means[LATENTS] = {0}, variances[LATENTS] = {0};
  told t = {0, 0, 0, {0}};
  ae_trainer_callbacks callbacks = callbacks_of(&t, 0);
  if (!check_status(ae_trainer_create(NULL, options, &trainer), AE_OK, "a pca") ||
      ae_trainer_set_callbacks(trainer, &callbacks) != AE_OK)
    return;
  ae_options_free(options);
  check_status(ae_trainer_model(trainer, NULL, 0, &model), AE_ERROR_KIND, "has no model before it is fitted");
  check_status(ae_trainer_step(trainer, batch, 1, NULL), AE_ERROR_KIND, "and no steps");
  check_status(ae_trainer_fit(trainer, pixels, COUNT), AE_OK, "is fitted");
  check(t.calls >= 1 && t.last.mse > 0, "and reported");
  if (check_status(ae_trainer_model(trainer, pixels, COUNT, &model), AE_OK, "and gives a model")) {
    if (ae_encode_u8(NULL, model, pixels, COUNT, latents) != AE_OK) require(NULL);
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
  ae_trainer *trainer;
  test_refusals();
  test_repeatable(AE_KIND_ELU, "elu");
  test_repeatable(AE_KIND_VAE, "vae");
  test_repeatable(AE_KIND_CONV_VAE, "conv-vae");
  test_steps();
  test_pca();
  test_files();
  test_poll();
  test_callbacks();
  test_get_options();
  test_create_from();

  trainer = trainer_of(AE_KIND_LINEAR, "");
  check_status(ae_trainer_model(trainer, NULL, 0, NULL), AE_ERROR_ARGUMENT, "a model into NULL");
  check_status(ae_trainer_model(trainer, NULL, 3, &model), AE_ERROR_ARGUMENT, "a codec from images at NULL");
  check_status(ae_trainer_model(trainer, pixels, SIZE_MAX, &model), AE_ERROR_ARGUMENT, "from SIZE_MAX images");
  check_status(ae_trainer_model(trainer, pixels, 1, &model), AE_OK, "from a single one");
  ae_model_free(model);
  ae_trainer_free(trainer);
}
