/*
 * The readers behind ae.h and the tool's PNG reader, the table of all, and the seeds: golden and attack files, and
 * models, checkpoints and sets of each kind, made by the library itself.
 *
 * With -DLIBRARY_ALONE there are the readers of ae.h alone, for libae.so as it is delivered.
 */
#define _GNU_SOURCE
#include "readers.h"

#include <ae.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { SEEDS = 2048, MODELS = 64, ROOM = 1 << 16, LARGEST_SEED = 1 << 16 };

static seed_file seeds[SEEDS];
static size_t seed_count;
static known_model known[MODELS];
static ae_model *models[MODELS];
static size_t model_count;

static void finding(const char *what) {
  fprintf(stderr, "finding: %s: %s\n", what, ae_last_error());
  abort();
}

static int32_t expect(ae_status status) {
  if (status == AE_ERROR_INTERNAL) finding("a call met an inner contradiction");
  if (status != AE_OK && ae_last_error()[0] == 0) finding("an error without a message");
  if (status != AE_OK && strchr(ae_last_error(), '\n') != NULL) finding("a message of more than a line");
  return status;
}

/* ---- Models ---- */

static void use_saved(const uint8_t *bytes, size_t size, const char *hash) {
  ae_model *again = NULL;
  ae_model_information info;
  info.struct_size = sizeof info;
  if (expect(ae_model_open_memory(NULL, bytes, size, &again)) != AE_OK) finding("a model that was saved does not open");
  if (ae_model_info(again, &info) != AE_OK || strcmp(info.hash, hash) != 0) finding("a saved model has another hash");
  ae_model_free(again);
}

static ae_options *options_of(int32_t table, const char *text) {
  ae_options *options = NULL;
  char pair[400];
  if (ae_options_create(table, &options) != AE_OK) finding("options");
  for (int size; *text != 0; text += size + (text[size] == ' ')) {
    size = (int)strcspn(text, " ");
    snprintf(pair, sizeof pair, "%.*s", size, text);
    char *value = strchr(pair, '=');
    *value++ = 0;
    if (ae_options_set(options, pair, value) != AE_OK) finding(pair);
  }
  return options;
}

/* Description and arrays make the model again. */
static void use_tensors(const ae_model *model, int32_t storage) {
  enum { MOST = 2048 };
  static ae_tensor tensors[MOST];
  static char description[130000];
  size_t count = 0, size = 0;
  ae_model *again = NULL;
  if (expect(ae_model_description(model, description, sizeof description, &size)) != AE_OK)
    finding("a model without description");
  for (; count < MOST; count++) {
    tensors[count].struct_size = sizeof *tensors;
    if (expect(ae_model_tensor(model, count, &tensors[count])) != AE_OK) break;
  }
  ae_status made = expect(ae_model_create(NULL, description, tensors, count, &again));
  ae_model_information info;
  info.struct_size = sizeof info;
  if (ae_model_info(model, &info) != AE_OK) finding("a model that tells nothing");
  if (made != AE_OK && storage != AE_STORAGE_INT8 && info.has_encoder) finding("a model's arrays make no model");
  ae_model_free(again);
}

/* `choice` picks one of several ways to save and to compress: all of them each time would only cost time. */
static int32_t use_model(const ae_model *model, uint32_t choice) {
  static uint8_t out[1 << 20];
  size_t input = ae_input_size(model), latent = ae_latent_size(model), size = 0;
  ae_model_information info;
  info.struct_size = sizeof info;
  int32_t status = expect(ae_model_info(model, &info));
  /* Large networks only cost time here. */
  if (status != AE_OK || info.parameter_count > 20000) return status;
  /* A predictor has no size: its images are told to be of 7 x 7. */
  const int is_predictor = info.kind == AE_KIND_PREDICTOR;
  if (is_predictor) input = 49;
  uint8_t *images = malloc(3 * input), *back = malloc(3 * input);
  float *latents = malloc(6 * latent * sizeof(float)), *floats = malloc(3 * input * sizeof(float));
  if (images == NULL || back == NULL || latents == NULL || floats == NULL) exit(1);
  for (size_t i = 0; i < 3 * input; i++) images[i] = (uint8_t)(i * 37), floats[i] = (float)(i % 17) / 16;
  for (size_t i = 0; i < 6 * latent; i++) latents[i] = i % 5 == 0 ? 1e30f : (float)i - 2;
  int32_t encoded = expect(ae_encode_u8(NULL, model, images, 3, latents));
  expect(ae_encode(NULL, model, floats, 3, latents));
  expect(ae_posterior_u8(NULL, model, images, 3, latents, latents + 3 * latent));
  for (size_t i = 0; i < 3 * latent; i++) latents[i] = i % 5 == 0 ? -1e30f : (float)i - 2;
  if (expect(ae_decode_u8(NULL, model, latents, 3, back)) != AE_OK) status = AE_ERROR_FORMAT;
  expect(ae_decode(NULL, model, latents, 3, floats));
  expect(ae_sample_u8(NULL, model, 3, 1, back));
  if (choice % 4 == 0) {
    int32_t saved = expect(ae_model_save(model, (int32_t)(choice / 4 % 3), choice / 12 % 2, out, sizeof out, &size));
    if (saved == AE_OK) use_saved(out, size, info.hash);
  }
  if (choice % 4 == 1) expect(ae_model_export_c(model, "m", choice / 4 % 2, (char *)out, sizeof out, &size));
  /* A set of it holds what its codes mean, and a lossless one every pixel. */
  if (choice / 32 % 16 < 2) {
    const int is_lossless = choice / 32 % 2 == 1;
    ae_imageset *set = NULL;
    ae_options *options =
        options_of(AE_OPTIONS_COMPRESSION, !is_lossless   ? "mode=lossy"
                                            : is_predictor ? "mode=lossless embed_model=true width=7 height=7"
                                                           : "mode=lossless embed_model=true preview=true");
    if (expect(ae_compress(NULL, model, images, 3, NULL, options, out, sizeof out, &size)) == AE_OK) {
      if (expect(ae_imageset_open_memory(NULL, out, size, model, &set)) != AE_OK) finding("a set that was made does not open");
      if (expect(ae_imageset_read(set, 0, 3, back)) != AE_OK) finding("a set that was made cannot be read");
      if (is_lossless && memcmp(back, images, 3 * input) != 0) finding("a lossless set gives other pixels");
      ae_imageset_free(set);
    }
    ae_options_free(options);
  }
  if (choice % 8 == 5 && !is_predictor) use_tensors(model, info.storage);
  free(images);
  free(back);
  free(latents);
  free(floats);
  return status != AE_OK ? status : encoded == AE_ERROR_KIND ? AE_OK : encoded;
}

static int32_t read_model(const uint8_t *bytes, size_t count) {
  ae_model *model = NULL;
  int32_t status = expect(ae_model_open_memory(NULL, bytes, count, &model));
  if (status == AE_OK) status = use_model(model, (uint32_t)crc32(0, bytes, (uInt)count));
  ae_model_free(model);
  return status;
}

/* ---- Image sets ---- */

static int32_t use_set(const ae_imageset *set) {
  static uint8_t room[ROOM], again[ROOM], lost[ROOM];
  static float latents[ROOM];
  ae_imageset_information info;
  info.struct_size = sizeof info;
  int32_t status = expect(ae_imageset_info(set, &info)), labels, latent;
  size_t each = (size_t)info.width * (size_t)info.height * (size_t)info.channels, size = 0, lost_count = 0;
  uint64_t count = info.count;
  char name[300];
  if (count > ROOM / each) count = ROOM / each;
  int32_t read = expect(ae_imageset_read(set, info.count - count, (size_t)count, room));
  int32_t salvaged = expect(ae_imageset_salvage(set, info.count - count, (size_t)count, again, lost, &lost_count));
  if (salvaged == AE_OK && (read == AE_OK) != (lost_count == 0)) finding("reading and salvaging disagree");
  if (read == AE_OK && memcmp(room, again, (size_t)count * each) != 0) finding("reading and salvaging differ");
  if (count > 0 && read == AE_OK) {
    if (expect(ae_imageset_read(set, info.count - 1, 1, again)) != AE_OK) finding("the last image cannot be read alone");
    if (memcmp(room + (count - 1) * each, again, each) != 0) finding("the last image differs when it is read alone");
  }
  /* Sets of pixels alone have no codes. */
  if (info.latent_size > 0) {
    size_t most = ROOM / (size_t)info.latent_size < count ? ROOM / (size_t)info.latent_size : (size_t)count;
    latent = expect(ae_imageset_latents(set, 0, most, latents));
    for (size_t i = 0; latent == AE_OK && i < most * (size_t)info.latent_size; i++)
      if (!isfinite(latents[i])) finding("a latent that is not finite");
  }
  labels = expect(ae_imageset_labels(set, 0, info.count < ROOM ? (size_t)info.count : ROOM, room));
  if (info.count > 0) {
    int32_t named = expect(ae_imageset_name(set, info.count - 1, name, sizeof name, &size));
    if (named == AE_OK && (size < 2 || strchr(name, '/') != NULL || strcmp(name, "..") == 0)) finding("a name that leaves its folder");
    if (named != AE_OK && named != AE_ERROR_KIND) status = named;
  }
  if (labels != AE_OK && labels != AE_ERROR_KIND) status = labels;
  return read != AE_OK ? read : status;
}

static const ae_model *model_of(const uint8_t *bytes, size_t count) {
  /* Where the hash of a set's model lies depends on the file's version. */
  for (size_t i = 0; i < model_count; i++)
    if (count > 32 && memmem(bytes, count < 256 ? count : 256, known[i].hash, 32) != NULL) return models[i];
  return NULL;
}

typedef struct source {
  const uint8_t *bytes;
  size_t count;
} source;

static int32_t give(void *context, uint64_t offset, size_t byte_count, void *out) {
  const source *from = context;
  if (offset > from->count || byte_count > from->count - offset) finding("a range that is not in the file is asked for");
  memcpy(out, from->bytes + offset, byte_count);
  return 0;
}

typedef struct sink {
  uint8_t bytes[1 << 21];
  size_t count;
} sink;

static int32_t take(void *context, const void *bytes, size_t byte_count) {
  sink *to = context;
  if (byte_count > sizeof to->bytes - to->count) return 1;
  memcpy(to->bytes + to->count, bytes, byte_count);
  to->count += byte_count;
  return 0;
}

/* The same images, from a set and from a copy of its blocks; `times` times, one after the other. */
static void compare(const ae_imageset *set, const ae_imageset *copy, uint64_t times) {
  static uint8_t room[ROOM], again[ROOM];
  ae_imageset_information info, other;
  info.struct_size = other.struct_size = sizeof info;
  if (ae_imageset_info(set, &info) != AE_OK || ae_imageset_info(copy, &other) != AE_OK || other.count != times * info.count)
    finding("a copy of another number of images");
  uint64_t each = (uint64_t)info.width * (uint64_t)info.height * (uint64_t)info.channels;
  uint64_t most = ROOM / each, count = info.count < most ? info.count : most;
  if (expect(ae_imageset_read(set, 0, (size_t)count, room)) != AE_OK) return;
  for (uint64_t time = 0; time < times; time++)
    if (expect(ae_imageset_read(copy, time * info.count, (size_t)count, again)) != AE_OK ||
        memcmp(room, again, (size_t)(count * each)) != 0)
      finding("a copy gives other images");
}

/* Blocks of a set that came from outside, copied into another. */
static void copy_set(const ae_imageset *set, const ae_model *model) {
  static sink to;
  ae_writer *writer = NULL;
  ae_imageset *copy = NULL;
  ae_imageset_information info;
  info.struct_size = sizeof info;
  if (ae_imageset_info(set, &info) != AE_OK) finding("a set that tells nothing");
  to.count = 0;
  ae_status status = expect(ae_writer_create_like(NULL, set, take, &to, &writer));
  if (status == AE_OK) status = expect(ae_writer_add_set(writer, set, 0, info.count));
  if (status == AE_OK) status = expect(ae_writer_finish(writer));
  ae_writer_free(writer);
  if (status != AE_OK) return;
  if (expect(ae_imageset_open_memory(NULL, to.bytes, to.count, model, &copy)) != AE_OK) finding("a copy does not open");
  compare(set, copy, 1);
  ae_imageset_free(copy);
}

static void write_file(const char *path, const uint8_t *bytes, size_t count) {
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(bytes, 1, count, file) != count || fclose(file) != 0) exit(1);
}

/* The same through files: twice the set, and half of it. */
static void join_files(const ae_imageset *set, const uint8_t *bytes, size_t count, const ae_model *model) {
  char from[64], to[64];
  const char *paths[2] = {from, from};
  const char *folder = getenv("TMPDIR");
  ae_imageset *joined = NULL;
  ae_writer *writer = NULL;
  ae_imageset_information info;
  info.struct_size = sizeof info;
  if (folder == NULL || strlen(folder) > 30) folder = "/tmp";
  snprintf(from, sizeof from, "%s/ae-fuzz-%d.aez", folder, (int)getpid());
  snprintf(to, sizeof to, "%s/ae-fuzz-%d.out", folder, (int)getpid());
  write_file(from, bytes, count);
  if (expect(ae_concatenate_files(NULL, paths, 2, to)) == AE_OK && set != NULL) {
    if (expect(ae_imageset_open(NULL, to, model, &joined)) != AE_OK) finding("sets that were joined do not open");
    compare(set, joined, 2);
    ae_imageset_free(joined);
  }
  if (set != NULL && ae_imageset_info(set, &info) == AE_OK && info.block_images > 0)
    expect(ae_split_file(NULL, from, 0, (uint64_t)info.block_images < info.count ? (uint64_t)info.block_images : info.count, to));
  if (expect(ae_writer_append_file(NULL, from, model, &writer)) == AE_OK) expect(ae_writer_finish(writer));
  ae_writer_free(writer);
  unlink(from);
  unlink(to);
}

static int32_t read_set(const uint8_t *bytes, size_t count) {
  ae_imageset *set = NULL;
  const ae_model *model = model_of(bytes, count);
  const uint32_t choice = (uint32_t)crc32(0, bytes, (uInt)count);
  int32_t status = expect(ae_imageset_open_memory(NULL, bytes, count, model, &set));
  const int32_t opened = status;
  if (status == AE_OK) {
    status = use_set(set);
    if (choice % 4 == 0) copy_set(set, model);
  }
  /* Read by range, the same bytes are the same set. */
  if (choice % 4 == 1) {
    source from = {bytes, count};
    ae_imageset *ranged = NULL;
    int32_t other = expect(ae_imageset_open_callback(NULL, give, &from, count, model, &ranged));
    if ((other == AE_OK) != (opened == AE_OK)) finding("a set opens in memory or by range, not both");
    if (other == AE_OK && (use_set(ranged) == AE_OK) != (status == AE_OK)) finding("a set reads in memory or by range, not both");
    ae_imageset_free(ranged);
  }
  if (choice % 16 == 2) join_files(set, bytes, count, model);
  ae_imageset_free(set);
  return status;
}

/* ---- Checkpoints ---- */

static int32_t read_checkpoint(const uint8_t *bytes, size_t count) {
  static uint8_t out[1 << 20];
  static float images[4 * 64 * 64];
  ae_trainer *trainer = NULL;
  int32_t status = expect(ae_trainer_resume(NULL, bytes, count, &trainer));
  if (status != AE_OK) return status;
  ae_model *model = NULL;
  size_t size = 0;
  for (size_t i = 0; i < sizeof images / sizeof *images; i++) images[i] = (float)(i * 31 % 101) / 100;
  if (expect(ae_trainer_model(trainer, NULL, 0, &model)) == AE_OK) {
    ae_model_information info;
    info.struct_size = sizeof info;
    expect(ae_model_info(model, &info));
    if (info.parameter_count < 5000) {
      ae_training_progress progress;
      progress.struct_size = sizeof progress;
      expect(ae_trainer_step(trainer, images, 4, &progress));
    }
    if (crc32(0, bytes, (uInt)count) % 4 == 0 && expect(ae_trainer_save(trainer, out, sizeof out, &size)) == AE_OK) {
      ae_trainer *again = NULL;
      if (expect(ae_trainer_resume(NULL, out, size, &again)) != AE_OK) finding("a checkpoint that was saved is refused");
      ae_trainer_free(again);
    }
  }
  ae_model_free(model);
  ae_trainer_free(trainer);
  return status;
}

/* ---- Options ---- */

/* A text as a list of nodes, encoder of RGB images or decoder: it is told as it was set, and makes a network or not. */
static int32_t read_lists(const uint8_t *bytes, size_t count) {
  static char list[60001], told[60001], text[61000];
  size_t length = 0, size = 0;
  ae_options *options = NULL;
  ae_model *model = NULL;
  while (length < count && length < sizeof list - 1 && bytes[length] != 0) length++;
  memcpy(list, bytes, length);
  list[length] = 0;
  if (expect(ae_options_create(AE_OPTIONS_TRAINING, &options)) != AE_OK) finding("options");
  int32_t set = expect(ae_options_set(options, "encoder", list));
  if (set == AE_OK && strcmp(list, "auto") != 0 &&
      (expect(ae_options_get(options, "encoder", told, sizeof told, &size)) != AE_OK || strcmp(list, told) != 0))
    finding("a list is told otherwise");
  ae_options_free(options);
  int32_t made = AE_ERROR_SHAPE;
  for (int half = 0; half < 2; half++) {
    snprintf(text, sizeof text,
             half == 0 ? "kind=custom width=6 height=5 channels=3 latent_size=3 decoder=dense(outputs=90) encoder=%s"
                       : "kind=custom width=6 height=5 channels=3 latent_size=3 encoder=dense(outputs=3) decoder=%s",
             list);
    made = expect(ae_model_create(NULL, text, NULL, 0, &model));
    if (made == AE_OK) finding("a network without arrays");
    /* What lacks nothing but its arrays was a network. */
    if (made == AE_ERROR_SHAPE) return AE_OK;
  }
  return made;
}

/* Text for keys and values out of the bytes: what is set is told, and what was told can be set. */
static int32_t read_options(const uint8_t *bytes, size_t count) {
  static char key[400], value[5000], told[5100];
  size_t at = 0, size = 0;
  int32_t table = count > 0 ? bytes[at++] % 5 - 1 : 0;
  ae_options *options = NULL;
  ae_model *model = NULL;
  ae_trainer *trainer = NULL;
  if (expect(ae_options_create(table, &options)) != AE_OK) options = NULL;
  for (int tries = 0; at < count && tries < 60; tries++) {
    const uint8_t how = bytes[at++];
    ae_option_information of;
    of.struct_size = sizeof of;
    /* A key of the table, or what comes. */
    if (how % 8 != 0 && ae_option_info(table, how / 8, &of) == AE_OK) {
      snprintf(key, sizeof key, "%s", of.key);
    } else {
      size_t length = 0;
      while (at < count && length < sizeof key - 1 && bytes[at] > 0x20 && bytes[at] != '=') key[length++] = (char)bytes[at++];
      key[length] = 0;
    }
    size_t length = 0;
    while (at < count && length < sizeof value - 1 && bytes[at] != 0 && bytes[at] != '\n') value[length++] = (char)bytes[at++];
    value[length] = 0;
    at++;
    double number;
    int64_t integer;
    memset(&integer, 0, sizeof integer);
    memcpy(&integer, value, length < 8 ? length : 8);
    memcpy(&number, &integer, sizeof number);
    int32_t set = how % 3 == 0   ? expect(ae_options_set(options, key, value))
                  : how % 3 == 1 ? expect(ae_options_set_integer(options, key, integer))
                                 : expect(ae_options_set_number(options, key, number));
    if (set == AE_OK && strcmp(key, "preset") != 0) {
      if (expect(ae_options_get(options, key, told, sizeof told, &size)) != AE_OK) finding("what was set is not told");
      if (expect(ae_options_set(options, key, told)) != AE_OK) finding("what was told cannot be set");
    }
  }
  /* The bytes as they are, as a description. */
  snprintf(value, sizeof value, "%.*s", (int)(count < 4000 ? count : 4000), (const char *)bytes);
  expect(ae_model_create(NULL, value, NULL, 0, &model));
  ae_model_free(model);
  if (table == AE_OPTIONS_COMPRESSION) expect(ae_compress_bound(NULL, models[0], 3, options, &size));
  /* Networks that are large only cost time here. */
  if (table == AE_OPTIONS_TRAINING && ae_options_set(options, "hidden", "2") == AE_OK)
    expect(ae_trainer_create(NULL, options, &trainer));
  ae_trainer_free(trainer);
  ae_options_free(options);
  return AE_OK;
}

/* ---- PNG, and what Readers.swift has ---- */

#ifndef LIBRARY_ALONE
#include <CPNG.h>

static int32_t read_png(const uint8_t *bytes, size_t count) {
  cpng_image image;
  char message[CPNG_MESSAGE_SIZE];
  int status = cpng_read(bytes, count, &image, message);
  if (status != CPNG_OK) {
    if (message[0] == 0) finding("a PNG is refused without a message");
    return status == CPNG_MEMORY ? AE_ERROR_MEMORY : AE_ERROR_FORMAT;
  }
  /* Every sample is there to be read. */
  size_t samples = (size_t)image.width * image.height * (size_t)image.channels * (size_t)(image.depth / 8);
  unsigned sum = 0;
  for (size_t i = 0; i < samples; i++) sum += image.samples[i];
  if (image.channels < 1 || image.channels > 4 || (image.depth != 8 && image.depth != 16) || sum == ~0u)
    finding("a PNG of impossible samples");
  cpng_free(image.samples);
  return AE_OK;
}

int32_t fuzz_summary(const uint8_t *bytes, size_t count);
int32_t fuzz_rewrite(const uint8_t *bytes, size_t count);
int32_t fuzz_tool_checkpoint(const uint8_t *bytes, size_t count);
int32_t fuzz_verify(const uint8_t *bytes, size_t count);
int32_t fuzz_idx(const uint8_t *bytes, size_t count);
int32_t fuzz_labels(const uint8_t *bytes, size_t count);
int32_t fuzz_npy(const uint8_t *bytes, size_t count);
int32_t fuzz_floats(const uint8_t *bytes, size_t count);
int32_t fuzz_pgm(const uint8_t *bytes, size_t count);
int32_t fuzz_gunzip(const uint8_t *bytes, size_t count);
int32_t fuzz_deflate(const uint8_t *bytes, size_t count);
int32_t fuzz_json(const uint8_t *bytes, size_t count);
#endif

#define FOR(format) (1u << FORMAT_##format)

const reader readers[] = {
    {"model", read_model, FOR(WEIGHTS) | FOR(CHECKPOINT), FOR(WEIGHTS)},
    {"set", read_set, FOR(SET), FOR(SET)},
    {"checkpoint", read_checkpoint, FOR(CHECKPOINT), FOR(CHECKPOINT)},
    {"lists", read_lists, FOR(JSON), 0},
#ifdef LIBRARY_ALONE
    {"options", read_options, FOR(JSON), FOR(JSON)},
#else
    {"options", read_options, FOR(JSON) | FOR(PGM) | FOR(IDX), 0},
    {"summary", fuzz_summary, FOR(WEIGHTS) | FOR(CHECKPOINT), 0},
    {"rewrite", fuzz_rewrite, FOR(WEIGHTS) | FOR(CHECKPOINT), 0},
    {"tool-checkpoint", fuzz_tool_checkpoint, FOR(CHECKPOINT), 0},
    {"verify", fuzz_verify, FOR(SET), 0},
    {"idx", fuzz_idx, FOR(IDX) | FOR(GZIP), FOR(IDX) | FOR(GZIP)},
    {"labels", fuzz_labels, FOR(IDX) | FOR(GZIP), FOR(IDX) | FOR(GZIP)},
    {"npy", fuzz_npy, FOR(NPY), FOR(NPY)},
    {"floats", fuzz_floats, FOR(NPY), FOR(NPY)},
    {"pgm", fuzz_pgm, FOR(PGM), FOR(PGM)},
    {"png", read_png, FOR(PNG), FOR(PNG)},
    {"gunzip", fuzz_gunzip, FOR(GZIP), FOR(GZIP)},
    {"deflate", fuzz_deflate, FOR(IDX), 0},
    {"json", fuzz_json, FOR(JSON), FOR(JSON)},
#endif
};
const size_t reader_count = sizeof readers / sizeof *readers;

/* ---- Seeds ---- */

static void add_seed(const uint8_t *bytes, size_t count) {
  if (seed_count == SEEDS || count == 0 || count > LARGEST_SEED) return;
  seed_file *seed = &seeds[seed_count];
  seed->bytes = malloc(count);
  if (seed->bytes == NULL) exit(1);
  memcpy(seed->bytes, bytes, count);
  seed->count = count;
  seed->format = format_of(bytes, count);
  seed_count++;
}

static int hash_of(const uint8_t *bytes, size_t count, uint8_t hash[32]) {
  ae_model *model = NULL;
  ae_model_information info;
  info.struct_size = sizeof info;
  if (ae_model_open_memory(NULL, bytes, count, &model) != AE_OK) return 0;
  int is_known = ae_model_info(model, &info) == AE_OK && info.hash[0] != 0;
  for (int i = 0; is_known && i < 32; i++) {
    unsigned byte = 0;
    sscanf(info.hash + 2 * i, "%2x", &byte);
    hash[i] = (uint8_t)byte;
  }
  ae_model_free(model);
  return is_known;
}

static void add_model(const uint8_t *bytes, size_t count) {
  static uint8_t out[1 << 20];
  ae_model_information info;
  ae_model *model = NULL;
  size_t size = 0;
  info.struct_size = sizeof info;
  known_model *entry = &known[model_count];
  if (model_count == MODELS || ae_model_open_memory(NULL, bytes, count, &model) != AE_OK) return;
  if (ae_model_info(model, &info) != AE_OK || !info.has_codec ||
      ae_model_save(model, AE_STORAGE_INT8, AE_SAVE_DECODER_ONLY, out, sizeof out, &size) != AE_OK ||
      !hash_of(bytes, count, entry->hash)) {
    ae_model_free(model);
    return;
  }
  entry->width = (uint16_t)info.width;
  entry->height = (uint16_t)info.height;
  entry->latents = (uint16_t)info.latent_size;
  entry->bytes = malloc(size);
  entry->count = size;
  if (entry->bytes == NULL) exit(1);
  memcpy(entry->bytes, out, size);
  models[model_count++] = model;
}

static void add_file(const char *path, int is_golden) {
  static uint8_t bytes[LARGEST_SEED + 1];
  FILE *file = fopen(path, "rb");
  size_t count = file == NULL ? 0 : fread(bytes, 1, sizeof bytes, file);
  if (file != NULL) fclose(file);
  add_seed(bytes, count);
  if (is_golden && count > 0 && count <= LARGEST_SEED && format_of(bytes, count) == FORMAT_WEIGHTS) add_model(bytes, count);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void add_folder(const char *folder, int is_golden) {
  char *names[1024], path[600];
  size_t count = 0;
  DIR *directory = opendir(folder);
  struct dirent *entry;
  if (directory == NULL) return;
  while ((entry = readdir(directory)) != NULL && count < 1024)
    if (entry->d_name[0] != '.') names[count++] = strdup(entry->d_name);
  closedir(directory);
  qsort(names, count, sizeof *names, by_name);
  for (size_t i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    add_file(path, is_golden);
    free(names[i]);
  }
}

static void need(ae_status status, const char *what) {
  if (status == AE_OK) return;
  fprintf(stderr, "fuzz: seeds: %s: %s\n", what, ae_last_error());
  exit(1);
}

/* A set with names, and with blocks that end early, as sets of sets have. */
static void make_named_set(const ae_model *model, const uint8_t *images, size_t count, int32_t width, int32_t height) {
  static sink to;
  static char texts[64][16];
  const char *names[64];
  char text[80];
  ae_writer *writer = NULL;
  ae_imageset *set = NULL;
  for (size_t i = 0; i < 64; i++) {
    snprintf(texts[i], sizeof texts[i], "%zu-%s.png", i, i % 3 == 0 ? "h\xc3\xa9" : "b");
    names[i] = texts[i];
  }
  if (model == NULL)
    snprintf(text, sizeof text, "block_images=9 mode=lossless width=%d height=%d", (int)width, (int)height);
  else
    snprintf(text, sizeof text, "block_images=9");
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, text);
  to.count = 0;
  need(ae_writer_create(NULL, model, options, take, &to, &writer), "a writer");
  need(ae_writer_add(writer, images, count, NULL, names), "images with names");
  need(ae_writer_finish(writer), "a set with names");
  ae_writer_free(writer);
  ae_options_free(options);
  add_seed(to.bytes, to.count);
  need(ae_imageset_open_memory(NULL, to.bytes, to.count, model, &set), "a set");
  to.count = 0;
  need(ae_writer_create_like(NULL, set, take, &to, &writer), "a writer like it");
  need(ae_writer_add(writer, images, 2, NULL, names), "images");
  need(ae_writer_add_set(writer, set, 9, 9), "a block");
  need(ae_writer_add(writer, images, 1, NULL, names), "an image");
  need(ae_writer_finish(writer), "a set of sets");
  ae_writer_free(writer);
  ae_imageset_free(set);
  add_seed(to.bytes, to.count);
}

/* Sets of a model's images, in each manner that there is. */
static void make_sets(const ae_model *model, const uint8_t *images, size_t count, int32_t width, int32_t height) {
  static uint8_t out[1 << 20], labels[64];
  size_t size = 0;
  for (size_t i = 0; i < sizeof labels; i++) labels[i] = (uint8_t)(i % 10);
  static const char *const manners[] = {"block_images=16",
                                        "block_images=7 embed_model=true",
                                        "block_images=16 embed_model=true quality=1",
                                        "block_images=7 mode=lossless",
                                        "block_images=16 mode=lossless",
                                        "block_images=7 mode=near-lossless max_error=3",
                                        "block_images=16 mode=near-lossless max_error=32"};
  for (int manner = model == NULL ? 3 : 0; manner < 7; manner++) {
    ae_options *options = options_of(AE_OPTIONS_COMPRESSION, manners[manner]);
    if (model == NULL) {
      need(ae_options_set_integer(options, "width", width), "a width");
      need(ae_options_set_integer(options, "height", height), "a height");
    }
    if (model != NULL && manner == 4) need(ae_options_set(options, "preview", "true"), "a preview");
    need(ae_compress(NULL, model, images, count, manner < 4 ? labels : NULL, options, out, sizeof out, &size), "a set");
    ae_options_free(options);
    add_seed(out, size);
  }
  make_named_set(model, images, count, width, height);
}

/* A model of each kind, trained for a few steps on what looks like strokes; its checkpoint and its files. */
static void make_models(void) {
  static const struct {
    int32_t width, height;
    const char *options;
  } shapes[] = {
      {5, 4, "kind=pca latent_size=3"},
      {4, 4, "kind=linear latent_size=2 hidden=6"},
      {3, 5, "kind=sigmoid latent_size=2 hidden=7,5"},
      {6, 6, "kind=relu latent_size=4 hidden=8"},
      {8, 8, "kind=elu latent_size=3 hidden=12,9"},
      {1, 1, "kind=elu latent_size=1 hidden=1,1,1,1,1,1,1,1"},
      {7, 6, "kind=vae latent_size=2 hidden=10"},
      {8, 7, "kind=conv-vae latent_size=2 hidden=3,6"},
      {9, 9, "kind=conv-vae latent_size=3 hidden=2,2,3,8"},
      {20, 20, "kind=relu latent_size=5 hidden=9"},
      {6, 5, "kind=residual-vae latent_size=2 hidden=3,3,4"},
      {6, 4,
       "kind=custom latent_size=2 "
       "encoder=convolution(channels=2,kernel=3,padding=1,activation=gelu);add(0,0);max_pool(kernel=2);dense(outputs=2) "
       "decoder=dense(height=2,width=3,channels=2,activation=tanh);upsample(factor=2);concatenate(1,1);"
       "convolution(channels=1,kernel=1)"},
  };
  static uint8_t out[1 << 20], images[40 * 64 * 64];
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    ae_options *options = options_of(AE_OPTIONS_TRAINING, shapes[s].options);
    ae_trainer *trainer = NULL;
    ae_model *model = NULL;
    size_t size = 0, each = (size_t)(shapes[s].width * shapes[s].height), count = 40;
    for (size_t i = 0; i < count * each; i++) {
      size_t x = i % each % (size_t)shapes[s].width, y = i % each / (size_t)shapes[s].width, image = i / each;
      images[i] = image == 7 ? (uint8_t)(i * 97 + i / 3) : (x + y + image) % 5 < 2 ? (uint8_t)(155 + image * 11 % 101) : 0;
    }
    need(ae_options_set_integer(options, "width", shapes[s].width), "a width");
    need(ae_options_set_integer(options, "height", shapes[s].height), "a height");
    need(ae_options_set(options, "steps", "40"), "steps");
    need(ae_options_set(options, "batch_size", "10"), "a batch");
    if (s % 2 == 1) need(ae_options_set(options, "weight_average", "0.9"), "an average");
    need(ae_trainer_create(NULL, options, &trainer), "a trainer");
    ae_options_free(options);
    need(ae_trainer_fit(trainer, images, count), "training");
    need(ae_trainer_save(trainer, out, sizeof out, &size), "a checkpoint");
    add_seed(out, size);
    need(ae_trainer_model(trainer, images, count, &model), "a model");
    for (int32_t storage = 0; storage < 3; storage++) {
      need(ae_model_save(model, storage, 0, out, sizeof out, &size), "a weight file");
      add_seed(out, size);
    }
    add_model(out, size);
    make_sets(model, images, count, 0, 0);
    if (s % 4 == 3) make_sets(NULL, images, count, shapes[s].width, shapes[s].height);
    ae_model_free(model);
    ae_trainer_free(trainer);
  }
}

static void make_small_files(void) {
  static const uint8_t idx[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255};
  static const uint8_t colours[] = {0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255};
  static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 5, 1, 2, 3, 9, 0};
  static const char *const texts[] = {
      "P5\n3 2\n255\nabcdef", "P2\n# words\n2 2\n15\n0 1\n15 7\n", "P5 1 1 65535\n\1\2",
      "P6\n1 2\n255\nabcdef", "P3 1 1 15\n0 1 15\n", "P7\nWIDTH 1\nHEIGHT 2\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\nabcd",
      "{\"key\": \"value\", \"runs\": [{\"d\": 1, \"mse\": 0.0125, \"psnr\": -1e-3, \"ok\": true, \"none\": null}], \"e\": [1,2,3]}",
      "convolution(channels=2,kernel=3,stride=2,padding=1,activation=leaky_relu:0.2);activation(activation=silu);dense(outputs=3)",
      "dense(height=5,width=6,channels=4,activation=gelu);reshape(height=6,width=5,channels=4);channels_first();"
      "channels_last(height=5,width=6,channels=4);convolution(channels=3,kernel=1)",
      "mean_pool(kernel=2);max_pool(input,kernel=3,stride=2,padding=1,height=2,width=3);concatenate(0,1);upsample(factor=2);"
      "transposed_convolution(channels=1,kernel=4,stride=2,padding=1,height=8);mean_pool(whole=true);dense(outputs=3)",
      "[\"\\u00e9\\ud83d\\ude00\\n\", 1.5e300, -9223372036854775808, 18446744073709551616, {}, []]"};
  add_seed(idx, sizeof idx);
  add_seed(colours, sizeof colours);
  add_seed(labels, sizeof labels);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) add_seed((const uint8_t *)texts[i], strlen(texts[i]));
  /* NPY: bytes, floats, doubles. */
  static const char *const types[] = {"|u1", "<f4", "<f8", "|u1"}, *const shapes[] = {"2, 3, 4", "2, 3, 4", "2, 3, 4", "2, 3, 1, 4"};
  for (size_t t = 0; t < 4; t++) {
    uint8_t file[512] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 118, 0};
    snprintf((char *)file + 10, 119, "%-117s\n", "");
    char text[128];
    int length = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", types[t], shapes[t]);
    memcpy(file + 10, text, (size_t)length);
    for (size_t i = 0; i < 24 && t % 3 == 0; i++) file[128 + i] = (uint8_t)(i * 10);
    static const size_t widths[] = {1, 4, 8, 1};
    add_seed(file, 128 + 24 * widths[t]);
  }
  /* gzip of some of these, and of what the attack files are not. */
  size_t before = seed_count;
  for (size_t i = 0; i < before; i++) {
    static uint8_t out[1 << 17];
    z_stream stream = {0};
    format f = seeds[i].format;
    if (f != FORMAT_IDX && f != FORMAT_NPY && f != FORMAT_PGM && i % 16 != 0) continue;
    if (deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK) exit(1);
    stream.next_in = seeds[i].bytes;
    stream.avail_in = (uInt)seeds[i].count;
    stream.next_out = out;
    stream.avail_out = sizeof out;
    deflate(&stream, Z_FINISH);
    add_seed(out, sizeof out - stream.avail_out);
    deflateEnd(&stream);
  }
#ifndef LIBRARY_ALONE
  static uint8_t pixels[24 * 24];
  for (uint32_t side = 1; side < 25; side += 5) {
    uint8_t *bytes = NULL;
    size_t count = 0;
    char message[CPNG_MESSAGE_SIZE];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * i);
    if (cpng_write(pixels, side, 24, 1, &bytes, &count, message) != CPNG_OK) exit(1);
    add_seed(bytes, count);
    cpng_free(bytes);
  }
#endif
}

void readers_write(const char *folder) {
  for (size_t i = 0; i < seed_count; i++) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, format_names[seeds[i].format]);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/seed-%04zu", folder, format_names[seeds[i].format], i);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(seeds[i].bytes, 1, seeds[i].count, file) != seeds[i].count) {
      fprintf(stderr, "fuzz: %s cannot be written\n", path);
      exit(1);
    }
    fclose(file);
  }
}

void readers_start(const char *tests, const char *folder) {
  static const char *const attacks[] = {"aew", "aez", "idx", "npy", "pgm", "ppm", "pam", "png"};
  char path[600];
  ae_set_threads(1);
  snprintf(path, sizeof path, "%s/golden", tests);
  add_folder(path, 1);
  if (model_count == 0) {
    fprintf(stderr, "fuzz: no golden model in %s\n", tests);
    exit(1);
  }
  if (folder != NULL) {
    for (size_t f = 0; f < FORMAT_COUNT; f++) {
      snprintf(path, sizeof path, "%s/%s", folder, format_names[f]);
      add_folder(path, 1);
    }
  } else {
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
      snprintf(path, sizeof path, "%s/attack/%s", tests, attacks[i]);
      add_folder(path, 0);
    }
    make_models();
    make_small_files();
  }
  for (size_t i = 0; i < seed_count && folder == NULL; i++) {
    seeds[i].is_sound = 0;
    for (size_t r = 0; r < reader_count; r++)
      if (readers[r].decides >> seeds[i].format & 1) seeds[i].is_sound |= readers[r].read(seeds[i].bytes, seeds[i].count) == AE_OK;
  }
  mutate_seeds = seeds;
  mutate_seed_count = seed_count;
  mutate_models = known;
  mutate_model_count = model_count;
  mutate_hash = hash_of;
}
