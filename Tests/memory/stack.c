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

static ae_options *options_of(int32_t table, const char *text) {
  ae_options *options = NULL;
  char pair[200];
  if (ae_options_create(table, &options) != AE_OK) abort();
  for (int size; *text; text += size + (text[size] == ' ')) {
    size = (int)strcspn(text, " ");
    snprintf(pair, sizeof pair, "%.*s", size, text);
    char *value = strchr(pair, '=');
    *value++ = 0;
    if (ae_options_set(options, pair, value) != AE_OK) abort();
  }
  return options;
}

static void *saved(const ae_model *model, size_t *size) {
  if (ae_model_save(model, AE_STORAGE_FLOAT32, 0, NULL, 0, size) != AE_OK) abort();
  void *file = malloc(*size);
  if (ae_model_save(model, AE_STORAGE_FLOAT32, 0, file, *size, size) != AE_OK) abort();
  return file;
}

static void *compressed(const ae_model *model, const ae_options *options, size_t *size) {
  if (ae_compress(NULL, model, pixels, COUNT, NULL, options, NULL, 0, size) != AE_OK) abort();
  void *file = malloc(*size);
  if (ae_compress(NULL, model, pixels, COUNT, NULL, options, file, *size, size) != AE_OK) abort();
  return file;
}

typedef struct stream {
  uint8_t *bytes;
  size_t size, room;
} stream;

static int32_t take(void *context, const void *bytes, size_t byte_count) {
  stream *to = context;
  if (byte_count > to->room - to->size) return 1;
  memcpy(to->bytes + to->size, bytes, byte_count);
  to->size += byte_count;
  return 0;
}

static int32_t give(void *context, uint64_t offset, size_t byte_count, void *out) {
  const stream *from = context;
  if (offset > from->size || byte_count > from->size - offset) return 1;
  memcpy(out, from->bytes + offset, byte_count);
  return 0;
}

/* A set as a stream, read by range, and copied from. */
static int streamed_well(const ae_model *model, const ae_options *how) {
  static uint8_t bytes[COUNT * SIZE];
  stream to = {malloc(1 << 20), 0, 1 << 20}, copy = {malloc(1 << 20), 0, 1 << 20};
  ae_writer *writer = NULL;
  ae_imageset *set = NULL;
  int good = ae_writer_create(NULL, model, how, take, &to, &writer) == AE_OK &&
             ae_writer_add(writer, pixels, COUNT, NULL, NULL) == AE_OK && ae_writer_finish(writer) == AE_OK;
  ae_writer_free(writer);
  good = good && ae_imageset_open_callback(NULL, give, &to, to.size, model, &set) == AE_OK &&
         ae_imageset_read(set, 0, COUNT, bytes) == AE_OK &&
         ae_writer_create_like(NULL, set, take, &copy, &writer) == AE_OK &&
         ae_writer_add_set(writer, set, 0, COUNT) == AE_OK && ae_writer_add(writer, pixels, 9, NULL, NULL) == AE_OK &&
         ae_writer_finish(writer) == AE_OK;
  ae_writer_free(writer);
  ae_imageset_free(set);
  free(to.bytes);
  free(copy.bytes);
  return good;
}

/* A model out of the arrays of another, with integers of its own. */
static int made_well(const ae_model *model) {
  ae_tensor tensors[40];
  char description[500];
  size_t count = 0, size = 0;
  ae_model *made = NULL, *quantized = NULL;
  int good = ae_model_description(model, description, sizeof description, &size) == AE_OK;
  while (tensors[count].struct_size = sizeof *tensors, ae_model_tensor(model, count, &tensors[count]) == AE_OK) count++;
  good = good && ae_model_create(NULL, description, tensors, count, &made) == AE_OK &&
         ae_model_quantize(NULL, made, pixels, COUNT, NULL, &quantized) == AE_OK;
  ae_model_free(made);
  ae_model_free(quantized);
  return good;
}

static int used_well(void) {
  static float floats[COUNT * SIZE], codes[COUNT * LATENTS], more[COUNT * LATENTS];
  static uint8_t bytes[COUNT * SIZE];
  static const char *const manners[] = {"mode=lossy embed_model=true", "mode=lossless", "mode=near-lossless max_error=2"};
  ae_trainer *trainer = NULL, *resumed = NULL;
  ae_model *model = NULL;
  ae_imageset *set = NULL;
  ae_model_information about = {.struct_size = sizeof about};
  size_t size = 0;
  int good = 1;
  for (int kind = AE_KIND_PCA; kind <= AE_KIND_CONV_VAE; kind++) {
    ae_options *options = options_of(AE_OPTIONS_TRAINING, "width=16 height=16 latent_size=4 batch_size=32 steps=3");
    good &= ae_options_set_integer(options, "kind", kind) == AE_OK &&
            ae_options_set(options, "hidden", kind == AE_KIND_CONV_VAE ? "4,24" : "24") == AE_OK;
    good &= ae_trainer_create(NULL, options, &trainer) == AE_OK && ae_trainer_fit(trainer, pixels, COUNT) == AE_OK;
    ae_options_free(options);
    good &= ae_trainer_model(trainer, pixels, COUNT, &model) == AE_OK;
    if (!good) return 0;
    void *file = saved(model, &size);
    ae_model_free(model);
    good &= ae_model_open_memory(NULL, file, size, &model) == AE_OK && ae_model_info(model, &about) == AE_OK;
    free(file);
    good &= ae_trainer_save(trainer, NULL, 0, &size) == AE_OK;
    file = malloc(size);
    good &= ae_trainer_save(trainer, file, size, &size) == AE_OK &&
            ae_trainer_resume(NULL, file, size, &resumed) == AE_OK;
    free(file);
    for (int i = 0; i < COUNT * SIZE; i++) floats[i] = pixels[i] / 255.0f;
    good &= ae_encode(NULL, model, floats, COUNT, codes) == AE_OK && ae_decode(NULL, model, codes, COUNT, floats) == AE_OK;
    good &= ae_encode_u8(NULL, model, pixels, COUNT, codes) == AE_OK &&
            ae_decode_u8(NULL, model, codes, COUNT, bytes) == AE_OK;
    if (kind >= AE_KIND_VAE)
      good &= ae_posterior_u8(NULL, model, pixels, COUNT, codes, more) == AE_OK &&
              vae_sample(NULL, model, COUNT, 1, floats) == AE_OK;
    for (int mode = AE_MODE_LOSSY; mode <= AE_MODE_NEAR_LOSSLESS; mode++) {
      options = options_of(AE_OPTIONS_COMPRESSION, manners[mode]);
      file = compressed(model, options, &size);
      good &= ae_imageset_open_memory(NULL, file, size, model, &set) == AE_OK &&
              ae_imageset_read(set, 0, COUNT, bytes) == AE_OK &&
              ae_imageset_salvage(set, 0, COUNT, bytes, NULL, NULL) == AE_OK;
      good &= streamed_well(model, options);
      ae_imageset_free(set);
      ae_options_free(options);
      free(file);
    }
    good &= made_well(model);
    ae_decode(NULL, NULL, codes, 1, floats);
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
