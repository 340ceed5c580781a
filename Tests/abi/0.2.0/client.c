/*
 * A program as it was written for version 0.2.0: every function and every struct of that header, each struct
 * with bytes behind it that no library may touch. It is compiled against the header beside it and run with
 * today's library.
 */
#include <ae.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 8, HEIGHT = 8, SIZE = WIDTH * HEIGHT, COUNT = 64, LATENTS = 3, GUARD = 64 };

static int failed;

static void check(int condition, const char *text) {
  if (!condition)
    failed = 1;
  printf("%s %s%s%s\n", condition ? "ok      " : "NOT OK  ", text, condition ? "" : ": ",
         condition ? "" : ae_last_error());
  fflush(stdout);
}

static void need(ae_status status, const char *text) {
  check(status == AE_OK, text);
  if (status != AE_OK)
    exit(1);
}

static int untouched(const unsigned char *guard) {
  for (int i = 0; i < GUARD; i++)
    if (guard[i] != 0xA5)
      return 0;
  return 1;
}

/* A struct of this version with a guard behind it. */
#define GUARDED(type)                                                                                        \
  struct {                                                                                                   \
    type known;                                                                                              \
    unsigned char guard[GUARD];                                                                              \
  }
#define BEGIN(guarded)                                                                                       \
  (memset(&(guarded), 0xA5, sizeof(guarded)), (guarded).known.struct_size = sizeof((guarded).known))

static uint8_t pixels[COUNT * SIZE], decoded[COUNT * SIZE], labels[COUNT], lost[COUNT], told[COUNT];
static float images[COUNT * SIZE], latents[COUNT * LATENTS], spread[COUNT * LATENTS];
static int reports, lines;

static int32_t on_progress(void *context, const ae_training_progress *progress) {
  reports += context == &reports && progress->struct_size >= sizeof *progress && isfinite(progress->loss);
  return 0;
}
static void on_log(void *context, const char *message) {
  lines += context == &reports && *message != 0;
}

static void *made(size_t size) {
  void *memory = malloc(size ? size : 1);
  if (memory == NULL)
    exit(2);
  return memory;
}

static ae_trainer *trainer_of(int32_t kind) {
  static const int32_t hidden[] = {4, 16};
  GUARDED(ae_trainer_options) options;
  ae_trainer *trainer = NULL;
  memset(&options, 0xA5, sizeof options);
  need(ae_trainer_options_init(&options.known, sizeof options.known), "ae_trainer_options_init");
  check(options.known.struct_size == sizeof options.known && untouched(options.guard),
        "fills this version's options alone");
  check(options.known.kind == AE_KIND_ELU && options.known.loss == -1 && options.known.output == -1 &&
            options.known.schedule == AE_SCHEDULE_CONSTANT && options.known.batch_size == 100 &&
            options.known.step_count == 50000 && options.known.importance_samples == 1 &&
            options.known.name == NULL && options.known.importance_warmup_steps == 0,
        "with this version's defaults");
  options.known.kind = kind;
  options.known.width = WIDTH;
  options.known.height = HEIGHT;
  options.known.latent_size = LATENTS;
  options.known.hidden = kind == AE_KIND_CONV_VAE ? hidden : hidden + 1;
  options.known.hidden_count = kind == AE_KIND_CONV_VAE ? 2 : 1;
  options.known.batch_size = 16;
  options.known.step_count = 60;
  options.known.learning_rate = 3e-3;
  options.known.progress_interval = 20;
  options.known.validation_fraction = 0.1;
  options.known.progress = on_progress;
  options.known.log = on_log;
  options.known.context = &reports;
  options.known.name = "kept";
  need(ae_trainer_create(&options.known, &trainer), "ae_trainer_create");
  options.known.struct_size = sizeof options.known - 1;
  {
    ae_trainer *none = NULL;
    check(ae_trainer_create(&options.known, &none) == AE_ERROR_VERSION && none == NULL,
          "refuses options shorter than this version's");
  }
  return trainer;
}

static void use_trainer(int32_t kind, ae_model **model) {
  GUARDED(ae_training_progress) progress;
  ae_trainer *trainer = trainer_of(kind), *resumed = NULL;
  size_t size = 0;
  void *saved;
  BEGIN(progress);
  if (kind == AE_KIND_PCA) {
    check(ae_trainer_step(trainer, images, 16, &progress.known) == AE_ERROR_KIND, "PCA has no steps");
  } else {
    need(ae_trainer_step(trainer, images, 16, &progress.known), "ae_trainer_step");
    check(progress.known.step == 1 && progress.known.struct_size == sizeof progress.known &&
              untouched(progress.guard),
          "fills this version's progress alone");
  }
  reports = lines = 0;
  need(ae_trainer_fit(trainer, pixels, COUNT), "ae_trainer_fit");
  check(lines > 0 && (reports > 0 || kind == AE_KIND_PCA), "calls back");
  need(ae_trainer_save(trainer, NULL, 0, &size), "ae_trainer_save tells a size");
  saved = made(size);
  need(ae_trainer_save(trainer, saved, size, &size), "ae_trainer_save");
  need(ae_trainer_resume(saved, size, NULL, &resumed), "ae_trainer_resume");
  need(ae_trainer_model(resumed, pixels, COUNT, model), "ae_trainer_model");
  free(saved);
  ae_trainer_free(resumed);
  ae_trainer_free(trainer);
}

static void use_model(int32_t kind, ae_model *trained) {
  GUARDED(ae_model_information) information;
  ae_model *model = NULL, *again = NULL;
  size_t size = 0;
  void *saved;
  const int is_variational = kind == AE_KIND_VAE || kind == AE_KIND_CONV_VAE;
  BEGIN(information);
  need(ae_model_info(trained, &information.known), "ae_model_info");
  check(information.known.kind == kind && information.known.width == WIDTH &&
            information.known.height == HEIGHT && information.known.channels == 1 &&
            information.known.latent_size == LATENTS && information.known.storage == AE_STORAGE_FLOAT32 &&
            information.known.has_encoder == 1 && information.known.is_variational == is_variational &&
            information.known.has_codec == 1 && information.known.quality_count > 0 &&
            information.known.parameter_count > 0 && strlen(information.known.hash) == 64 &&
            strcmp(information.known.name, "kept") == 0 && untouched(information.guard),
        "fills this version's information alone");
  check(ae_input_size(trained) == SIZE && ae_latent_size(trained) == LATENTS,
        "ae_input_size, ae_latent_size");
  need(ae_model_save(trained, AE_STORAGE_FLOAT16, AE_SAVE_DECODER_ONLY, NULL, 0, &size),
       "ae_model_save tells a size");
  need(ae_model_save(trained, AE_STORAGE_INT8, 0, NULL, 0, &size), "for integers, too");
  saved = made(size);
  need(ae_model_save(trained, AE_STORAGE_INT8, 0, saved, size, &size), "ae_model_save");
  need(ae_model_open_memory(saved, size, &model), "ae_model_open_memory");
  need(ae_model_save_file(trained, AE_STORAGE_FLOAT32, 0, "/dev/null"), "ae_model_save_file");
  check(ae_model_open("/nowhere/at/all.aew", &again) == AE_ERROR_IO && again == NULL, "ae_model_open");
  need(ae_encode(trained, images, COUNT, latents), "ae_encode");
  need(ae_decode(trained, latents, COUNT, images), "ae_decode");
  need(ae_encode_u8(model, pixels, COUNT, latents), "ae_encode_u8");
  need(ae_decode_u8(model, latents, COUNT, decoded), "ae_decode_u8");
  if (is_variational) {
    need(vae_encode(trained, images, COUNT, latents, spread), "vae_encode");
    need(vae_encode_u8(trained, pixels, COUNT, latents, spread), "vae_encode_u8");
    need(vae_prior(trained, COUNT, 7, latents), "vae_prior");
    need(vae_sample(trained, COUNT, 7, images), "vae_sample");
    need(vae_sample_u8(trained, COUNT, 7, decoded), "vae_sample_u8");
  } else {
    check(vae_sample_u8(trained, 1, 7, decoded) == AE_ERROR_KIND, "vae_sample_u8 wants a variational model");
  }
  free(saved);
  ae_model_free(model);
}

static void use_set(const ae_model *model, int32_t layer) {
  GUARDED(ae_compress_options) options;
  GUARDED(ae_imageset_information) information;
  ae_imageset *set = NULL;
  size_t bound = 0, size = 0, lost_count = 9;
  void *bytes;
  char name[300];
  memset(&options, 0xA5, sizeof options);
  need(ae_compress_options_init(&options.known, sizeof options.known), "ae_compress_options_init");
  check(options.known.struct_size == sizeof options.known && options.known.quality == 0 &&
            options.known.layer == AE_LAYER_LATENT && options.known.labels == NULL &&
            untouched(options.guard),
        "fills this version's options alone");
  options.known.layer = layer;
  options.known.max_error = layer == AE_LAYER_NEAR_EXACT ? 3 : 0;
  options.known.embed_model = 1;
  options.known.block_images = 16;
  options.known.labels = labels;
  need(ae_compress_bound(model, COUNT, &options.known, &bound), "ae_compress_bound");
  bytes = made(bound);
  need(ae_compress(model, pixels, COUNT, &options.known, bytes, bound, &size), "ae_compress");
  check(size <= bound, "takes no more than the bound");
  need(ae_imageset_open_memory(bytes, size, model, &set), "ae_imageset_open_memory");
  BEGIN(information);
  need(ae_imageset_info(set, &information.known), "ae_imageset_info");
  check(information.known.count == COUNT && information.known.width == WIDTH &&
            information.known.height == HEIGHT && information.known.channels == 1 &&
            information.known.block_images == 16 && information.known.has_labels == 1 &&
            information.known.has_names == 0 && information.known.layer == layer &&
            information.known.byte_count == size && information.known.max_error == options.known.max_error &&
            untouched(information.guard),
        "fills this version's information alone");
  need(ae_imageset_read(set, 0, COUNT, decoded), "ae_imageset_read");
  if (layer == AE_LAYER_EXACT)
    check(memcmp(decoded, pixels, sizeof pixels) == 0, "every pixel comes back");
  need(ae_imageset_salvage(set, 0, COUNT, decoded, lost, &lost_count), "ae_imageset_salvage");
  check(lost_count == 0, "nothing is lost");
  need(ae_imageset_labels(set, 0, COUNT, told), "ae_imageset_labels");
  check(memcmp(told, labels, sizeof labels) == 0, "the labels come back");
  if (layer != AE_LAYER_LATENT)
    check(ae_imageset_latents(set, 0, 1, latents) == AE_ERROR_KIND, "ae_imageset_latents");
  check(ae_imageset_name(set, 0, name, sizeof name, &size) == AE_ERROR_KIND, "ae_imageset_name");
  options.known.struct_size = sizeof options.known - 8;
  check(ae_compress_bound(model, COUNT, &options.known, &bound) == AE_ERROR_VERSION,
        "refuses options shorter than this version's");
  information.known.struct_size = sizeof information.known - 8;
  check(ae_imageset_info(set, &information.known) == AE_ERROR_VERSION, "and such information");
  ae_imageset_free(set);
  set = NULL;
  check(ae_imageset_open("/nowhere/at/all.aez", NULL, &set) == AE_ERROR_IO && set == NULL,
        "ae_imageset_open");
  free(bytes);
}

int main(void) {
  check(ae_version() >= AE_VERSION_NUMBER && ae_abi_version() == AE_ABI_VERSION,
        "the library is this one or a later one");
  check(strncmp(ae_build_info(), "libae ", 6) == 0 &&
            strcmp(ae_status_string(AE_ERROR_SHAPE), "AE_ERROR_SHAPE") == 0,
        "ae_build_info, ae_status_string");
  need(ae_set_threads(1), "ae_set_threads");
  check(ae_threads() == 1, "ae_threads");
  for (int i = 0; i < COUNT; i++) {
    labels[i] = (uint8_t)(i % 10);
    for (int at = 0; at < SIZE; at++) {
      int x = at % WIDTH - 1 - i % 6, y = at / WIDTH - 1 - i / 8 % 6;
      pixels[i * SIZE + at] = x * x + y * y < 6 ? (uint8_t)(255 - 30 * (x * x + y * y)) : 0;
      images[i * SIZE + at] = (float)pixels[i * SIZE + at] / 255;
    }
  }
  for (int32_t kind = AE_KIND_PCA; kind <= AE_KIND_CONV_VAE; kind++) {
    ae_model *model = NULL;
    printf("         kind %d\n", (int)kind);
    use_trainer(kind, &model);
    use_model(kind, model);
    for (int32_t layer = AE_LAYER_LATENT; layer <= AE_LAYER_NEAR_EXACT; layer++)
      if (kind == AE_KIND_ELU || layer == AE_LAYER_LATENT)
        use_set(model, layer);
    ae_model_free(model);
  }
  return failed;
}
