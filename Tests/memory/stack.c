/*
 * How much stack a call takes: every call runs on a thread with as much as ae.h says, and it prints what they used.
 * A program of its own because what a program's threads have of their own counts as stack, too.
 */
#define _GNU_SOURCE
#include <ae.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What ae.h says that a call takes, the thread's own needs counted. */
enum { CALL_STACK = 192 * 1024 };

enum { SIDE = 16, SIZE = SIDE * SIDE, COUNT = 300, LATENTS = 4 };
static uint8_t pixels[COUNT * SIZE];

static void options_of(ae_trainer_options *options, int kind) {
  static const int32_t hidden[] = {4, 24};
  ae_trainer_options_init(options, sizeof *options);
  options->kind = kind;
  options->width = options->height = SIDE;
  options->latent_size = LATENTS;
  options->hidden = kind == AE_KIND_CONV_VAE ? hidden : hidden + 1;
  options->hidden_count = kind == AE_KIND_CONV_VAE ? 2 : 1;
  options->batch_size = 32;
  options->step_count = 3;
}

static void *saved(const ae_model *model, size_t *size) {
  if (ae_model_save(model, AE_STORAGE_FLOAT32, 0, NULL, 0, size) != AE_OK) abort();
  void *file = malloc(*size);
  if (ae_model_save(model, AE_STORAGE_FLOAT32, 0, file, *size, size) != AE_OK) abort();
  return file;
}

static void *compressed(const ae_model *model, const ae_compress_options *options, size_t *size) {
  if (ae_compress(model, pixels, COUNT, options, NULL, 0, size) != AE_OK) abort();
  void *file = malloc(*size);
  if (ae_compress(model, pixels, COUNT, options, file, *size, size) != AE_OK) abort();
  return file;
}

static int used_well(void) {
  static float floats[COUNT * SIZE], codes[COUNT * LATENTS], more[COUNT * LATENTS];
  static uint8_t bytes[COUNT * SIZE];
  ae_trainer_options options;
  ae_trainer *trainer = NULL, *resumed = NULL;
  ae_model *model = NULL;
  ae_imageset *set = NULL;
  ae_compress_options how;
  ae_model_information about = {.struct_size = sizeof about};
  size_t size = 0;
  int good = 1;
  for (int kind = AE_KIND_PCA; kind <= AE_KIND_CONV_VAE; kind++) {
    options_of(&options, kind);
    good &= ae_trainer_create(&options, &trainer) == AE_OK && ae_trainer_fit(trainer, pixels, COUNT) == AE_OK;
    good &= ae_trainer_model(trainer, pixels, COUNT, &model) == AE_OK;
    if (!good) return 0;
    void *file = saved(model, &size);
    ae_model_free(model);
    good &= ae_model_open_memory(file, size, &model) == AE_OK && ae_model_info(model, &about) == AE_OK;
    free(file);
    good &= ae_trainer_save(trainer, NULL, 0, &size) == AE_OK;
    file = malloc(size);
    good &= ae_trainer_save(trainer, file, size, &size) == AE_OK &&
            ae_trainer_resume(file, size, NULL, &resumed) == AE_OK;
    free(file);
    for (int i = 0; i < COUNT * SIZE; i++) floats[i] = pixels[i] / 255.0f;
    good &= ae_encode(model, floats, COUNT, codes) == AE_OK && ae_decode(model, codes, COUNT, floats) == AE_OK;
    good &= ae_encode_u8(model, pixels, COUNT, codes) == AE_OK && ae_decode_u8(model, codes, COUNT, bytes) == AE_OK;
    if (kind >= AE_KIND_VAE)
      good &= vae_encode_u8(model, pixels, COUNT, codes, more) == AE_OK && vae_sample(model, COUNT, 1, floats) == AE_OK;
    for (int layer = AE_LAYER_LATENT; layer <= AE_LAYER_NEAR_EXACT; layer++) {
      ae_compress_options_init(&how, sizeof how);
      how.layer = layer;
      how.max_error = layer == AE_LAYER_NEAR_EXACT ? 2 : 0;
      how.embed_model = layer == AE_LAYER_LATENT;
      file = compressed(model, &how, &size);
      good &= ae_imageset_open_memory(file, size, model, &set) == AE_OK &&
              ae_imageset_read(set, 0, COUNT, bytes) == AE_OK &&
              ae_imageset_salvage(set, 0, COUNT, bytes, NULL, NULL) == AE_OK;
      ae_imageset_free(set);
      free(file);
    }
    ae_decode(NULL, codes, 1, floats);
    ae_model_free(model);
    ae_trainer_free(trainer);
    ae_trainer_free(resumed);
  }
  return good;
}

static void *use(void *context) {
  *(int *)context = used_well();
  return NULL;
}

int main(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  int good = 0, failed = 0;
  enum { PAINT = 0xA5, PAINTED = 1 << 20 };
  void *memory = NULL;
  for (int i = 0; i < COUNT * SIZE; i++) {
    int dx = i % SIDE - 4 - i / SIZE % 8, dy = i / SIDE % SIDE - 8, value = 255 - 20 * (dx * dx + dy * dy);
    pixels[i] = (uint8_t)(value < 0 ? 0 : value);
  }
  if (posix_memalign(&memory, 4096, PAINTED) != 0 || pthread_attr_init(&attributes) != 0) return 2;
  memset(memory, PAINT, PAINTED);
  if (pthread_attr_setstack(&attributes, memory, PAINTED) != 0 ||
      pthread_create(&thread, &attributes, use, &good) != 0 || pthread_join(thread, NULL) != 0)
    return 2;
  size_t unused = 0;
  while (unused < PAINTED && ((uint8_t *)memory)[unused] == PAINT) unused++;
  failed += !(good && PAINTED - unused <= CALL_STACK);
  printf("%s every call takes at most %d bytes of stack\n", failed ? "NOT OK  " : "ok      ", (int)(PAINTED - unused));
  fflush(stdout);
  /* And below it a page that may not be touched. */
  good = 0;
  if (pthread_attr_destroy(&attributes) != 0 || pthread_attr_init(&attributes) != 0 ||
      pthread_attr_setstacksize(&attributes, CALL_STACK) != 0 ||
      pthread_create(&thread, &attributes, use, &good) != 0 || pthread_join(thread, NULL) != 0)
    return 2;
  failed += !good;
  printf("%s every call runs on a thread with a stack of %d KiB\n", good ? "ok      " : "NOT OK  ", CALL_STACK / 1024);
  free(memory);
  return failed != 0;
}
