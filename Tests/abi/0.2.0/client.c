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

enum { WIDTH = 8, HEIGHT = 8, SIZE = WIDTH * HEIGHT, COUNT = 64, LATENTS = 3, GUARD = 64, ROOM = 1 << 20 };

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
/* To be filled by the library, and to be read by it: all zero. */
#define BEGIN(guarded)                                                                                       \
  (memset(&(guarded), 0xA5, sizeof(guarded)), (guarded).known.struct_size = sizeof((guarded).known))
#define EMPTY(guarded)                                                                                       \
  (memset(&(guarded), 0xA5, sizeof(guarded)), memset(&(guarded).known, 0, sizeof((guarded).known)),          \
   (guarded).known.struct_size = sizeof((guarded).known))

static uint8_t pixels[COUNT * SIZE], decoded[COUNT * SIZE], labels[COUNT], lost[COUNT], told[COUNT];
static float images[COUNT * SIZE], latents[COUNT * LATENTS], spread[COUNT * LATENTS];
static int reports, lines, polls, counts, taken_back;
static ae_context *context;

/* ---- Callbacks ---- */

static int32_t on_progress(void *receiver, const ae_training_progress *progress) {
  reports += receiver == &reports && progress->struct_size >= sizeof *progress && isfinite(progress->loss);
  return 0;
}
static void on_log(void *receiver, const char *message) {
  lines += receiver == &reports && *message != 0;
}
static int32_t on_poll(void *receiver) {
  polls += receiver == &reports;
  return 0;
}
static int32_t on_count(void *receiver, uint64_t done, uint64_t count) {
  counts += receiver == &counts && (count == 0 || done <= count);
  return 0;
}

static void *made(size_t size) {
  void *memory = malloc(size ? size : 1);
  if (memory == NULL)
    exit(2);
  return memory;
}

/* An allocator: what malloc gives lies before what is handed out, which is on a boundary. */
static void *allocate(void *allocator, size_t byte_count, size_t alignment) {
  char *memory = malloc(byte_count + alignment + sizeof(void *));
  char *result;
  if (memory == NULL || allocator != &taken_back)
    return NULL;
  result = memory + sizeof(void *);
  result += (alignment - (uintptr_t)result % alignment) % alignment;
  memcpy(result - sizeof memory, &memory, sizeof memory);
  return result;
}
static void take_back(void *allocator, void *memory, size_t byte_count) {
  void *begin;
  memcpy(&begin, (char *)memory - sizeof begin, sizeof begin);
  if (allocator == &taken_back && byte_count > 0)
    taken_back = 1;
  free(begin);
}

typedef struct stream {
  uint8_t *bytes;
  size_t size;
} stream;
static int32_t write_bytes(void *receiver, const void *bytes, size_t byte_count) {
  stream *to = receiver;
  if (byte_count > ROOM - to->size)
    return 1;
  memcpy(to->bytes + to->size, bytes, byte_count);
  to->size += byte_count;
  return 0;
}
static int32_t read_bytes(void *receiver, uint64_t offset, size_t byte_count, void *out) {
  const stream *from = receiver;
  if (offset > from->size || byte_count > from->size - offset)
    return 1;
  memcpy(out, from->bytes + offset, byte_count);
  return 0;
}

/* ---- Contexts and options ---- */

static void use_contexts(void) {
  GUARDED(ae_context_options) options;
  ae_context *other = NULL;
  EMPTY(options);
  options.known.threads = 2;
  options.known.allocate = allocate;
  options.known.free = take_back;
  options.known.allocator = &taken_back;
  options.known.model_path = "/nowhere:/at/all";
  need(ae_context_create(&options.known, &context), "ae_context_create");
  need(ae_context_create(NULL, &other), "ae_context_create without options");
  ae_context_free(other);
  options.known.struct_size = sizeof options.known - 8;
  check(ae_context_create(&options.known, &other) == AE_ERROR_VERSION && other == NULL,
        "refuses options shorter than this version's");
}

static void use_options(void) {
  static const struct {
    int32_t table;
    const char *key, *value;
  } kept[] = {{AE_OPTIONS_TRAINING, "kind", "elu"},           {AE_OPTIONS_TRAINING, "width", "28"},
              {AE_OPTIONS_TRAINING, "height", "28"},          {AE_OPTIONS_TRAINING, "latent_size", "auto"},
              {AE_OPTIONS_TRAINING, "hidden", "auto"},        {AE_OPTIONS_TRAINING, "loss", "auto"},
              {AE_OPTIONS_TRAINING, "steps", "50000"},        {AE_OPTIONS_TRAINING, "batch_size", "100"},
              {AE_OPTIONS_TRAINING, "seed", "1"},             {AE_OPTIONS_TRAINING, "learning_rate", "0.001"},
              {AE_OPTIONS_TRAINING, "schedule", "constant"},  {AE_OPTIONS_TRAINING, "optimizer", "adam"},
              {AE_OPTIONS_TRAINING, "beta", "1"},             {AE_OPTIONS_TRAINING, "importance_samples", "1"},
              {AE_OPTIONS_TRAINING, "rd_lambda", "0"},        {AE_OPTIONS_TRAINING, "noise", "0"},
              {AE_OPTIONS_TRAINING, "weight_average", "0"},   {AE_OPTIONS_TRAINING, "binarize", "false"},
              {AE_OPTIONS_TRAINING, "name", "auto"},          {AE_OPTIONS_COMPRESSION, "mode", "auto"},
              {AE_OPTIONS_COMPRESSION, "method", "auto"},     {AE_OPTIONS_COMPRESSION, "width", "auto"},
              {AE_OPTIONS_COMPRESSION, "embed_model", "false"}, {AE_OPTIONS_LOSSLESS, "hidden", "auto"}};
  GUARDED(ae_option_information) option;
  GUARDED(ae_preset_information) preset;
  char text[100];
  size_t size = 0;
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
    ae_options *options = NULL;
    int described = 0;
    if (ae_options_create(kept[i].table, &options) != AE_OK)
      exit(1);
    check(ae_options_get(options, kept[i].key, text, sizeof text, &size) == AE_OK && size == strlen(text) + 1 &&
              strcmp(text, kept[i].value) == 0,
          kept[i].key);
    ae_options_free(options);
    for (size_t index = 0; index < ae_option_count(kept[i].table); index++) {
      BEGIN(option);
      if (ae_option_info(kept[i].table, index, &option.known) != AE_OK || !untouched(option.guard))
        exit(1);
      described += strcmp(option.known.key, kept[i].key) == 0 && strcmp(option.known.default_value, kept[i].value) == 0 &&
                   option.known.type >= AE_OPTION_INTEGER && option.known.type <= AE_OPTION_INTEGERS &&
                   option.known.documentation[0] != 0 && option.known.choices != NULL &&
                   option.known.automatic != NULL && option.known.former_flags != NULL &&
                   option.known.minimum <= option.known.maximum;
    }
    check(described == 1, "is described, in this version's information alone");
  }
  {
    ae_options *options = NULL;
    need(ae_options_create(AE_OPTIONS_QUANTIZATION, &options), "ae_options_create");
    ae_options_free(options);
  }
  check(ae_preset_count() > 0, "ae_preset_count");
  BEGIN(preset);
  need(ae_preset_info(0, &preset.known), "ae_preset_info");
  check(preset.known.name[0] != 0 && preset.known.summary[0] != 0 && preset.known.options[0] != 0 &&
            untouched(preset.guard),
        "fills this version's information alone");
  option.known.struct_size = sizeof option.known - 8;
  check(ae_option_info(AE_OPTIONS_TRAINING, 0, &option.known) == AE_ERROR_VERSION, "refuses shorter information");
}

static ae_options *training_of(int32_t kind) {
  ae_options *options = NULL;
  need(ae_options_create(AE_OPTIONS_TRAINING, &options), "ae_options_create");
  need(ae_options_set(options, "preset", "quick"), "a preset");
  need(ae_options_set_integer(options, "kind", kind), "ae_options_set_integer takes numbers of choices");
  need(ae_options_set_integer(options, "width", WIDTH), "and integers");
  need(ae_options_set_integer(options, "height", HEIGHT), "so for the height");
  need(ae_options_set_integer(options, "latent_size", LATENTS), "the latents");
  need(ae_options_set(options, "hidden", kind == AE_KIND_CONV_VAE ? "4,16" : "16"), "ae_options_set");
  need(ae_options_set_integer(options, "batch_size", 16), "a batch");
  need(ae_options_set_integer(options, "steps", 60), "steps");
  need(ae_options_set_integer(options, "schedule", AE_SCHEDULE_COSINE), "a schedule");
  need(ae_options_set_number(options, "learning_rate", 3e-3), "ae_options_set_number");
  need(ae_options_set_number(options, "validation_fraction", 0.1), "takes numbers");
  need(ae_options_set(options, "name", "kept"), "a name");
  return options;
}

/* ---- Training ---- */

static void use_trainer(int32_t kind, ae_model **model) {
  GUARDED(ae_training_progress) progress;
  GUARDED(ae_trainer_callbacks) callbacks;
  ae_options *options = training_of(kind), *same = NULL;
  ae_trainer *trainer = NULL, *resumed = NULL, *started = NULL;
  char text[40];
  size_t size = 0;
  void *saved;
  need(ae_trainer_create(context, options, &trainer), "ae_trainer_create");
  ae_options_free(options);
  EMPTY(callbacks);
  callbacks.known.progress_interval = 20;
  callbacks.known.progress = on_progress;
  callbacks.known.log = on_log;
  callbacks.known.poll = on_poll;
  callbacks.known.context = &reports;
  need(ae_trainer_set_callbacks(trainer, &callbacks.known), "ae_trainer_set_callbacks");
  BEGIN(progress);
  if (kind == AE_KIND_PCA) {
    check(ae_trainer_step(trainer, images, 16, &progress.known) == AE_ERROR_KIND, "PCA has no steps");
  } else {
    need(ae_trainer_step(trainer, images, 16, &progress.known), "ae_trainer_step");
    check(progress.known.step == 1 && progress.known.struct_size == sizeof progress.known &&
              untouched(progress.guard),
          "fills this version's progress alone");
  }
  reports = lines = polls = 0;
  need(ae_trainer_fit(trainer, pixels, COUNT), "ae_trainer_fit");
  check(lines > 0 && (reports > 0 || kind == AE_KIND_PCA), "calls back");
  need(ae_trainer_get_options(trainer, &same), "ae_trainer_get_options");
  check(ae_options_get(same, "name", text, sizeof text, &size) == AE_OK && strcmp(text, "kept") == 0, "has its options");
  ae_options_free(same);
  need(ae_trainer_save(trainer, NULL, 0, &size), "ae_trainer_save tells a size");
  saved = made(size);
  need(ae_trainer_save(trainer, saved, size, &size), "ae_trainer_save");
  need(ae_trainer_resume(context, saved, size, &resumed), "ae_trainer_resume");
  need(ae_trainer_model(resumed, pixels, COUNT, model), "ae_trainer_model");
  need(ae_trainer_save_file(resumed, "/dev/null"), "ae_trainer_save_file");
  free(saved);
  ae_trainer_free(resumed);
  ae_trainer_free(trainer);
  check(ae_trainer_resume_file(context, "/nowhere/at/all", &resumed) == AE_ERROR_IO && resumed == NULL &&
            ae_last_errno() != 0,
        "ae_trainer_resume_file, ae_last_errno");
  if (kind != AE_KIND_PCA) {
    need(ae_trainer_create_from(context, *model, NULL, &started), "ae_trainer_create_from");
    ae_trainer_free(started);
  }
  callbacks.known.struct_size = sizeof callbacks.known - 8;
  need(ae_trainer_create(NULL, NULL, &trainer), "ae_trainer_create without options");
  check(ae_trainer_set_callbacks(trainer, &callbacks.known) == AE_ERROR_VERSION, "refuses shorter callbacks");
  ae_trainer_free(trainer);
}

/* ---- Models ---- */

static void use_tensors(const ae_model *trained) {
  GUARDED(ae_tensor) one;
  GUARDED(ae_quality_information) quality;
  GUARDED(ae_model_information) information;
  ae_tensor tensors[24];
  char description[500];
  size_t count = 0, size = 0;
  ae_model *built = NULL, *quantized = NULL, *fitted = NULL;
  need(ae_model_description(trained, description, sizeof description, &size), "ae_model_description");
  BEGIN(one);
  while (count < 24 && ae_model_tensor(trained, count, &one.known) == AE_OK) {
    tensors[count++] = one.known;
    if (!untouched(one.guard))
      exit(1);
  }
  check(count >= 2, "ae_model_tensor fills this version's tensors alone");
  need(ae_model_create(context, description, tensors, count, &built), "ae_model_create");
  BEGIN(information);
  need(ae_model_info(built, &information.known), "ae_model_info");
  check(information.known.has_codec == 0 && ae_quality_count(NULL, built) == 0, "without codec");
  need(ae_model_quantize(context, built, pixels, COUNT, NULL, &quantized), "ae_model_quantize");
  check(ae_quality_count(NULL, quantized) > 0 && ae_quality_count(NULL, NULL) > 0, "ae_quality_count");
  BEGIN(quality);
  need(ae_quality_info(NULL, quantized, 1, &quality.known), "ae_quality_info");
  check(strcmp(quality.known.model_name, "kept") == 0 && quality.known.bytes_per_image >= 0 && quality.known.psnr >= 0 &&
            untouched(quality.guard),
        "fills this version's information alone");
  check(ae_model_fit_lossless(context, quantized, pixels, COUNT, NULL, on_count, &counts, &fitted) == AE_ERROR_KIND &&
            fitted == NULL,
        "ae_model_fit_lossless finds no scans");
  check(ae_model_default(context, "no such model", &fitted) == AE_ERROR_MODEL && fitted == NULL, "ae_model_default");
  ae_model_free(built);
  ae_model_free(quantized);
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
            information.known.default_quality > 0 && information.known.has_lossless == 0 &&
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
  need(ae_model_open_memory(context, saved, size, &model), "ae_model_open_memory");
  need(ae_model_save_file(trained, AE_STORAGE_FLOAT32, 0, "/dev/null"), "ae_model_save_file");
  check(ae_model_open(context, "/nowhere/at/all.aew", &again) == AE_ERROR_IO && again == NULL, "ae_model_open");
  need(ae_encode(context, trained, images, COUNT, latents), "ae_encode");
  need(ae_decode(context, trained, latents, COUNT, images), "ae_decode");
  need(ae_encode_u8(context, model, pixels, COUNT, latents), "ae_encode_u8");
  need(ae_decode_u8(context, model, latents, COUNT, decoded), "ae_decode_u8");
  if (is_variational) {
    need(ae_posterior(context, trained, images, COUNT, latents, spread), "ae_posterior");
    need(ae_posterior_u8(context, trained, pixels, COUNT, latents, spread), "ae_posterior_u8");
    need(vae_encode(context, trained, images, COUNT, latents, spread), "vae_encode");
    need(ae_prior(context, trained, COUNT, 7, latents), "ae_prior");
    need(ae_sample(context, trained, COUNT, 7, images), "ae_sample");
    need(ae_sample_u8(context, trained, COUNT, 7, decoded), "ae_sample_u8");
    need(vae_sample(context, trained, COUNT, 7, images), "vae_sample");
  } else {
    check(ae_sample_u8(context, trained, 1, 7, decoded) == AE_ERROR_KIND, "ae_sample_u8 wants a variational model");
  }
  use_tensors(trained);
  free(saved);
  ae_model_free(model);
}

/* ---- Image sets ---- */

static ae_options *compression_of(int32_t mode) {
  ae_options *options = NULL;
  need(ae_options_create(AE_OPTIONS_COMPRESSION, &options), "ae_options_create");
  need(ae_options_set_integer(options, "mode", mode), "a mode");
  if (mode == AE_MODE_NEAR_LOSSLESS)
    need(ae_options_set_integer(options, "max_error", 3), "a largest error");
  if (mode != AE_MODE_LOSSY)
    need(ae_options_set_integer(options, "method", AE_METHOD_CONTEXTS), "a method");
  need(ae_options_set(options, "embed_model", "true"), "the model inside");
  need(ae_options_set_integer(options, "block_images", 16), "images in a block");
  return options;
}

static void use_writers(const ae_model *model, const ae_options *options, const void *bytes, size_t size) {
  static const char none[] = "/nowhere/at/all.aez";
  const char *const paths[2] = {none, none};
  stream to = {made(ROOM), 0}, copy = {made(ROOM), 0};
  ae_writer *writer = NULL;
  ae_imageset *set = NULL;
  need(ae_writer_create(context, model, options, write_bytes, &to, &writer), "ae_writer_create");
  need(ae_writer_set_progress(writer, on_count, &counts), "ae_writer_set_progress");
  for (int i = 0; i < COUNT; i += 8)
    need(ae_writer_add(writer, pixels + i * SIZE, 8, labels + i, NULL), "ae_writer_add");
  need(ae_writer_finish(writer), "ae_writer_finish");
  ae_writer_free(writer);
  check(to.size == size && memcmp(to.bytes, bytes, size) == 0, "writes the bytes of ae_compress");
  need(ae_imageset_open_callback(context, read_bytes, &to, to.size, model, &set), "ae_imageset_open_callback");
  need(ae_writer_create_like(context, set, write_bytes, &copy, &writer), "ae_writer_create_like");
  need(ae_writer_add_set(writer, set, 0, COUNT), "ae_writer_add_set");
  need(ae_writer_finish(writer), "is finished");
  ae_writer_free(writer);
  check(copy.size == size && memcmp(copy.bytes, bytes, size) == 0, "copies a set to its own bytes");
  ae_imageset_free(set);
  need(ae_writer_create_file(context, model, options, "/dev/null", &writer), "ae_writer_create_file");
  need(ae_writer_finish(writer), "ends with no images");
  ae_writer_free(writer);
  check(ae_writer_append_file(context, none, model, &writer) == AE_ERROR_IO && writer == NULL, "ae_writer_append_file");
  check(ae_concatenate_files(context, paths, 2, "/dev/null") == AE_ERROR_IO, "ae_concatenate_files");
  check(ae_split_file(context, none, 0, 1, "/dev/null") == AE_ERROR_IO, "ae_split_file");
  free(to.bytes);
  free(copy.bytes);
}

static void use_set(const ae_model *model, int32_t mode) {
  GUARDED(ae_imageset_information) information;
  ae_options *options = compression_of(mode);
  ae_imageset *set = NULL;
  size_t bound = 0, size = 0, name_size = 0, lost_count = 9;
  void *bytes;
  char name[300];
  need(ae_compress_bound(context, model, COUNT, options, &bound), "ae_compress_bound");
  bytes = made(bound);
  need(ae_compress(context, model, pixels, COUNT, labels, options, bytes, bound, &size), "ae_compress");
  check(size <= bound, "takes no more than the bound");
  need(ae_imageset_open_memory(context, bytes, size, model, &set), "ae_imageset_open_memory");
  BEGIN(information);
  need(ae_imageset_info(set, &information.known), "ae_imageset_info");
  check(information.known.count == COUNT && information.known.width == WIDTH &&
            information.known.height == HEIGHT && information.known.channels == 1 &&
            information.known.block_images == 16 && information.known.has_labels == 1 &&
            information.known.has_names == 0 && information.known.mode == mode &&
            information.known.method == (mode == AE_MODE_LOSSY ? 0 : AE_METHOD_CONTEXTS) &&
            information.known.byte_count == size && information.known.scale_quality == 0 &&
            information.known.max_error == (mode == AE_MODE_NEAR_LOSSLESS ? 3 : 0) && untouched(information.guard),
        "fills this version's information alone");
  need(ae_imageset_read(set, 0, COUNT, decoded), "ae_imageset_read");
  if (mode == AE_MODE_LOSSLESS)
    check(memcmp(decoded, pixels, sizeof pixels) == 0, "every pixel comes back");
  need(ae_imageset_salvage(set, 0, COUNT, decoded, lost, &lost_count), "ae_imageset_salvage");
  check(lost_count == 0, "nothing is lost");
  need(ae_imageset_labels(set, 0, COUNT, told), "ae_imageset_labels");
  check(memcmp(told, labels, sizeof labels) == 0, "the labels come back");
  if (mode != AE_MODE_LOSSY)
    check(ae_imageset_latents(set, 0, 1, latents) == AE_ERROR_KIND, "ae_imageset_latents");
  check(ae_imageset_name(set, 0, name, sizeof name, &name_size) == AE_ERROR_KIND, "ae_imageset_name");
  information.known.struct_size = sizeof information.known - 8;
  check(ae_imageset_info(set, &information.known) == AE_ERROR_VERSION, "refuses shorter information");
  ae_imageset_free(set);
  use_writers(model, options, bytes, size);
  ae_options_free(options);
  set = NULL;
  check(ae_imageset_open(context, "/nowhere/at/all.aez", NULL, &set) == AE_ERROR_IO && set == NULL,
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
  use_contexts();
  use_options();
  for (int32_t kind = AE_KIND_PCA; kind <= AE_KIND_CONV_VAE; kind++) {
    ae_model *model = NULL;
    printf("         kind %d\n", (int)kind);
    use_trainer(kind, &model);
    use_model(kind, model);
    for (int32_t mode = AE_MODE_LOSSY; mode <= AE_MODE_NEAR_LOSSLESS; mode++)
      if (kind == AE_KIND_ELU || mode == AE_MODE_LOSSY)
        use_set(model, mode);
    ae_model_free(model);
  }
  ae_context_free(context);
  ae_release_memory();
  check(taken_back, "the context's allocator was asked, and given back to");
  return failed;
}
