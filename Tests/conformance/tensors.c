/*
 * Models from arrays and back: descriptions, tensors, quantisation, lossless fits and qualities. What is taken out of a
 * model makes the same model.
 */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TENSORS = 64 };
static const char *const kind_names[] = {"pca", "linear", "sigmoid", "relu", "elu", "vae", "conv-vae", "predictor", "residual-vae"};

static ae_model_information info_of(const ae_model *model) {
  ae_model_information info;
  memset(&info, 0xEE, sizeof info);
  info.struct_size = sizeof info;
  if (ae_model_info(model, &info) != AE_OK) require(NULL);
  return info;
}

static char *description_of(const ae_model *model) {
  size_t size = 0;
  char *text;
  if (ae_model_description(model, NULL, 0, &size) != AE_OK) require(NULL);
  text = require(malloc(size));
  if (ae_model_description(model, text, size, &size) != AE_OK || size != strlen(text) + 1) require(NULL);
  return text;
}

/* All tensors of a model; how many there are. */
static size_t tensors_of(const ae_model *model, ae_tensor *tensors) {
  size_t count = 0;
  ae_status status = AE_OK;
  while (count < MOST_TENSORS) {
    memset(&tensors[count], 0xEE, sizeof *tensors);
    tensors[count].struct_size = sizeof *tensors;
    status = ae_model_tensor(model, count, &tensors[count]);
    if (status != AE_OK) break;
    count++;
  }
  if (status != AE_ERROR_ARGUMENT) require(NULL);
  return count;
}

/* A model of a kind and its trainer, without codec. */
static ae_model *bare(int32_t kind, const char *text, ae_trainer **trainer) {
  ae_model *model = NULL;
  *trainer = trainer_of(kind, text);
  if (ae_trainer_fit(*trainer, pixels, COUNT) != AE_OK || ae_trainer_model(*trainer, NULL, 0, &model) != AE_OK)
    require(NULL);
  return model;
}

static int decode_alike(const ae_model *a, const ae_model *b) {
  static float codes[2][COUNT * LATENTS], images[2][COUNT * SIZE];
  return ae_encode_u8(NULL, a, pixels, COUNT, codes[0]) == AE_OK &&
         ae_encode_u8(NULL, b, pixels, COUNT, codes[1]) == AE_OK && memcmp(codes[0], codes[1], sizeof codes[0]) == 0 &&
         ae_decode(NULL, a, codes[0], COUNT, images[0]) == AE_OK &&
         ae_decode(NULL, b, codes[0], COUNT, images[1]) == AE_OK && memcmp(images[0], images[1], sizeof images[0]) == 0;
}

static int same_bytes(const ae_model *a, const ae_model *b, int32_t storage) {
  size_t size = 0, other_size = 0;
  void *bytes = saved(a, storage, 0, &size), *others = saved(b, storage, 0, &other_size);
  const int same = size == other_size && memcmp(bytes, others, size) == 0;
  free(bytes);
  free(others);
  return same;
}

/* Model to tensors to model, and the integers of both: of one kind. */
static void test_round_trip(int32_t kind) {
  const char *name = kind_names[kind];
  ae_trainer *trainer = NULL;
  ae_model *model = bare(kind, "steps=60", &trainer), *made = NULL, *again = NULL, *fitted = NULL, *quantized = NULL;
  ae_tensor tensors[MOST_TENSORS], reversed[MOST_TENSORS];
  ae_model_information info = info_of(model), other;
  char *description = description_of(model), *back;
  size_t count = tensors_of(model, tensors), values = 0, size = 0;
  int all_named = 1;
  float *copies = NULL;
  for (size_t i = 0; i < count; i++) {
    all_named = all_named && tensors[i].struct_size == sizeof *tensors && tensors[i].values != NULL && tensors[i].count > 0 &&
                (strncmp(tensors[i].name, "encoder.", 8) == 0 || strncmp(tensors[i].name, "decoder.", 8) == 0) &&
                (strstr(tensors[i].name, ".weight") != NULL || strstr(tensors[i].name, ".bias") != NULL);
    values += tensors[i].count;
  }
  check(count >= 2 && all_named, "%s: %zu tensors, %s", name, count, description);
  check(values == info.parameter_count, "%s: which have all its parameters", name);
  check(strstr(description, "kind=") != NULL && strstr(description, name) != NULL, "%s: the description names its kind",
        name);

  /* Names tell which is which, whatever their order; arrays are copied. */
  copies = require(malloc(values * sizeof *copies));
  values = 0;
  for (size_t i = 0; i < count; i++) {
    ae_tensor *to = &reversed[count - 1 - i];
    *to = tensors[i];
    memcpy(copies + values, tensors[i].values, tensors[i].count * sizeof *copies);
    to->values = copies + values;
    values += to->count;
  }
  if (check_status(ae_model_create(NULL, description, reversed, count, &made), AE_OK, "%s: makes a model", name)) {
    memset(copies, 0xFF, values * sizeof *copies);
    other = info_of(made);
    check(other.kind == info.kind && other.width == info.width && other.height == info.height &&
              other.latent_size == info.latent_size && other.parameter_count == info.parameter_count &&
              other.is_variational == info.is_variational && other.has_encoder == 1 && other.has_codec == 0 &&
              other.storage == AE_STORAGE_FLOAT32 && strcmp(other.name, info.name) == 0,
          "%s: which is described alike", name);
    back = description_of(made);
    check(strcmp(back, description) == 0, "%s: in the same words", name);
    free(back);
    check(decode_alike(model, made), "%s: encodes and decodes bit for bit as the first", name);
    if (check_status(ae_model_create(NULL, description, tensors, count, &again), AE_OK, "%s: and once more", name))
      check(same_bytes(made, again, AE_STORAGE_FLOAT32), "%s: the bytes of its file are the same each time", name);
    ae_model_free(again);

    /* Its integers and codec are what the trainer gives. */
    if (check_status(ae_trainer_model(trainer, pixels, COUNT, &fitted), AE_OK, "%s: is fitted by its trainer", name) &&
        check_status(ae_model_quantize(NULL, made, pixels, COUNT, NULL, &quantized), AE_OK, "%s: and as a model", name)) {
      void *a = compressed(fitted, COUNT, NULL, "", &size), *b;
      size_t other_size = 0;
      b = compressed(quantized, COUNT, NULL, "", &other_size);
      info = info_of(fitted);
      other = info_of(quantized);
      check(other.has_codec == 1 && strcmp(info.hash, other.hash) == 0 && info.quality_count == other.quality_count &&
                info.default_quality == other.default_quality,
            "%s: to the same hash", name);
      check(size == other_size && memcmp(a, b, size) == 0, "%s: and sets of the same bytes", name);
      check(info_of(made).has_codec == 0, "%s: the model that it was made of is as it was", name);
      free(a);
      free(b);
    }
    ae_model_free(quantized);
    quantized = NULL;
    /* Of the model that the trainer gave, without a detour over arrays, it is the same file. */
    if (fitted != NULL && ae_model_quantize(NULL, model, pixels, COUNT, NULL, &quantized) == AE_OK)
      check(same_bytes(fitted, quantized, AE_STORAGE_FLOAT32) && same_bytes(fitted, quantized, AE_STORAGE_INT8),
            "%s: the trainer's model, quantised, is the file that the trainer gives", name);
    ae_model_free(quantized);
    ae_model_free(fitted);
    ae_model_free(made);
  }
  free(copies);
  free(description);
  ae_model_free(model);
  ae_trainer_free(trainer);
}

/* One wrong thing at a time. */
static void test_wrong_tensors(void) {
  struct {
    ae_tensor known;
    char later[16];
  } longer[MOST_TENSORS];
  ae_tensor tensors[MOST_TENSORS], changed[MOST_TENSORS];
  char *description = description_of(elu), text[400], name[80];
  size_t count = tensors_of(elu, tensors), size = 0;
  ae_model *model = NULL, *integer = NULL;
  float *values = require(malloc(tensors[0].count * sizeof *values));
  void *file;
#define WRONG(expected, ...)                                                                                            \
  do {                                                                                                                  \
    check_status(ae_model_create(NULL, description, changed, count, &model), expected, __VA_ARGS__);                    \
    check(model == NULL, "makes no model: %s", ae_last_error());                                                        \
    memcpy(changed, tensors, sizeof changed);                                                                           \
  } while (0)
  memcpy(changed, tensors, sizeof changed);
  for (size_t lost = 0; lost < count; lost += count - 1) {
    check_status(ae_model_create(NULL, description, tensors + (lost == 0), count - 1, &model), AE_ERROR_SHAPE,
                 "%s is missing", tensors[lost].name);
    check(strstr(ae_last_error(), tensors[lost].name) != NULL, "and named: %s", ae_last_error());
  }
  for (size_t i = 0; i < count; i++) {
    changed[i].count++;
    check_status(ae_model_create(NULL, description, changed, count, &model), AE_ERROR_SHAPE, "%s of one number more",
                 tensors[i].name);
    check(strstr(ae_last_error(), tensors[i].name) != NULL, "is named: %s", ae_last_error());
    changed[i].count -= 2;
    WRONG(AE_ERROR_SHAPE, "%s of one number less", tensors[i].name);
  }
  changed[1] = changed[0];
  WRONG(AE_ERROR_SHAPE, "one tensor twice, another not at all");
  snprintf(name, sizeof name, "encoder.99.weight");
  changed[0].name = name;
  WRONG(AE_ERROR_SHAPE, "a tensor that the network has not");
  changed[0].name = NULL;
  WRONG(AE_ERROR_ARGUMENT, "a tensor without name");
  changed[0].values = NULL;
  WRONG(AE_ERROR_ARGUMENT, "a tensor without values");
  changed[0].count = SIZE_MAX;
  WRONG(AE_ERROR_ARGUMENT, "a tensor of SIZE_MAX numbers");
  changed[0].struct_size = sizeof changed[0] - 8;
  WRONG(AE_ERROR_VERSION, "a tensor 8 bytes short");
  changed[count - 1].struct_size = 0;
  WRONG(AE_ERROR_VERSION, "a tensor of no size");
  memcpy(values, tensors[0].values, tensors[0].count * sizeof *values);
  values[7] = NAN;
  changed[0].values = values;
  WRONG(AE_ERROR_ARGUMENT, "a weight of NaN");
  values[7] = HUGE_VALF;
  changed[0].values = values;
  WRONG(AE_ERROR_ARGUMENT, "an infinite weight");
  changed[0].values = (const float *)(const void *)((const char *)tensors[0].values + 1);
  WRONG(AE_ERROR_ARGUMENT, "values off their alignment");
#undef WRONG

  /* An array of longer structs: each says its size, and the first says where the next begins. */
  memset(longer, 0, sizeof longer);
  for (size_t i = 0; i < count; i++) {
    longer[i].known = tensors[i];
    longer[i].known.struct_size = sizeof longer[i];
  }
  if (check_status(ae_model_create(NULL, description, &longer[0].known, count, &model), AE_OK, "tensors of a later version"))
    check(decode_alike(model, elu), "are taken for what they are");
  ae_model_free(model);
  longer[1].later[15] = 1;
  check_status(ae_model_create(NULL, description, &longer[0].known, count, &model), AE_ERROR_VERSION,
               "that ask for what is not known");
  memset(longer, 0xEE, sizeof *longer);
  longer[0].known.struct_size = sizeof longer[0];
  check_status(ae_model_tensor(elu, 0, &longer[0].known), AE_OK, "a tensor of a later version is told");
  check(longer[0].known.struct_size == sizeof longer[0] && longer[0].later[0] == 0 && longer[0].later[15] == 0,
        "later fields are 0");
  changed[0].struct_size = sizeof changed[0] - 1;
  check_status(ae_model_tensor(elu, 0, &changed[0]), AE_ERROR_VERSION, "a tensor one byte short");
  changed[0].struct_size = sizeof changed[0];
  check_status(ae_model_tensor(elu, SIZE_MAX, &changed[0]), AE_ERROR_ARGUMENT, "tensor SIZE_MAX");
  check_status(ae_model_tensor(elu, 0, NULL), AE_ERROR_ARGUMENT, "a tensor into NULL");

  static const struct {
    const char *description, *says;
  } wrong[] = {{"", ""},
               {"kind=elu kindness=3", "kindness"},
               {"kind=gru width=16 height=12 latent_size=4 hidden=24", "kind"},
               {"kind=elu width=257 height=12 latent_size=4 hidden=24", "width"},
               {"kind=elu width", "width"},
               {"=elu", ""}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    const ae_status status = ae_model_create(NULL, wrong[i].description, tensors, count, &model);
    /* Of nothing at all it is the default network, which these tensors are not of. */
    check((status == AE_ERROR_ARGUMENT || (i == 0 && status == AE_ERROR_SHAPE)) && model == NULL &&
              strstr(ae_last_error(), wrong[i].says) != NULL,
          "\"%s\" describes no such model: %s", wrong[i].description, ae_last_error());
  }
  snprintf(text, sizeof text, "  %s   ", description);
  check_status(ae_model_create(NULL, text, tensors, count, &model), AE_OK, "blanks about a description do no harm");
  ae_model_free(model);

  check_status(ae_model_description(elu, text, strlen(description), &size), AE_ERROR_BUFFER, "no room for the NUL");
  check(size >= strlen(description) + 1, "which is said");
  check_status(ae_model_description(elu, text, strlen(description) + 1, &size), AE_OK, "just room for it");
  check_status(ae_model_description(elu, text, sizeof text, NULL), AE_ERROR_ARGUMENT, "size NULL");
  check_status(ae_model_description(elu, (char *)(void *)&size, sizeof size, &size), AE_ERROR_ARGUMENT,
               "a description into its size");

  file = saved(elu, AE_STORAGE_INT8, 0, &size);
  if (ae_model_open_memory(NULL, file, size, &integer) != AE_OK) require(NULL);
  free(file);
  check_status(ae_model_tensor(integer, 0, &changed[0]), AE_ERROR_KIND, "a model in integers has no tensors");
  check_status(ae_model_description(integer, text, sizeof text, &size), AE_OK, "but a description");
  check(strcmp(text, description) == 0, "as in floats");
  check_status(ae_model_quantize(NULL, integer, pixels, COUNT, NULL, &model), AE_ERROR_KIND, "and is not quantised again");
  check(model == NULL, "to no model");
  ae_model_free(integer);
  free(values);
  free(description);
}

/* A name is any text, also one that a description could be taken apart by. */
static void test_names(void) {
  static const char *const names[] = {"my model", "a=b", "h\xc3\xa9llo kind=vae", " ", "100%", "\"quoted\"", "auto", "none"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    ae_options *options = small_options(AE_KIND_LINEAR, "steps=5");
    ae_trainer *trainer = NULL;
    ae_model *model = NULL, *made = NULL;
    ae_tensor tensors[MOST_TENSORS];
    char *description;
    if (ae_options_set(options, "name", names[i]) != AE_OK || ae_trainer_create(NULL, options, &trainer) != AE_OK ||
        ae_trainer_model(trainer, NULL, 0, &model) != AE_OK)
      require(NULL);
    description = description_of(model);
    check(ae_model_create(NULL, description, tensors, tensors_of(model, tensors), &made) == AE_OK &&
              strcmp(info_of(made).name, info_of(model).name) == 0 && info_of(made).kind == AE_KIND_LINEAR,
          "a model named \"%s\" is described by %s", names[i], description);
    ae_model_free(made);
    ae_model_free(model);
    ae_trainer_free(trainer);
    ae_options_free(options);
    free(description);
  }
}

static void test_decoder_alone(void) {
  ae_tensor tensors[MOST_TENSORS];
  ae_model *model = NULL, *result = NULL;
  size_t size = 0, count;
  void *file = saved(elu, AE_STORAGE_FLOAT32, AE_SAVE_DECODER_ONLY, &size);
  int are_decoders = 1;
  if (ae_model_open_memory(NULL, file, size, &model) != AE_OK) require(NULL);
  count = tensors_of(model, tensors);
  for (size_t i = 0; i < count; i++) are_decoders = are_decoders && strncmp(tensors[i].name, "decoder.", 8) == 0;
  check(count > 0 && are_decoders, "a decoder alone has its tensors alone (%zu)", count);
  check_status(ae_model_quantize(NULL, model, pixels, COUNT, NULL, &result), AE_ERROR_KIND, "and is not quantised");
  check(result == NULL, "to no model");
  check(ae_quality_count(NULL, model) == info_of(elu).quality_count, "it has the qualities of the whole");
  ae_model_free(model);
  free(file);
}

static void test_quantize(void) {
  ae_options *options = options_of(AE_OPTIONS_QUANTIZATION, ""), *wrong = options_of(AE_OPTIONS_TRAINING, "");
  ae_model *model = NULL, *other = NULL;
  check_status(ae_model_quantize(NULL, elu, pixels, COUNT, options, &model), AE_OK, "a model with a codec is quantised");
  check_status(ae_model_quantize(NULL, elu, pixels, COUNT, NULL, &other), AE_OK, "and with no options");
  check(strcmp(info_of(model).hash, info_of(other).hash) == 0 && same_bytes(model, other, AE_STORAGE_FLOAT32),
        "to the same bytes");
  ae_model_free(other);
  ae_model_free(model);
  check_status(ae_model_quantize(NULL, elu, pixels, 0, NULL, &model), AE_ERROR_ARGUMENT, "no images");
  check_status(ae_model_quantize(NULL, elu, NULL, 5, NULL, &model), AE_ERROR_ARGUMENT, "images at NULL");
  check_status(ae_model_quantize(NULL, elu, pixels, SIZE_MAX, NULL, &model), AE_ERROR_ARGUMENT, "SIZE_MAX images");
  check_status(ae_model_quantize(NULL, elu, pixels, COUNT, wrong, &model), AE_ERROR_ARGUMENT, "options of training");
  check(model == NULL, "make none");
  check_status(ae_model_quantize(NULL, elu, pixels, COUNT, NULL, NULL), AE_ERROR_ARGUMENT, "into NULL");
  check_status(ae_model_quantize(NULL, elu, pixels, 1, NULL, &model), AE_OK, "one image is enough");
  ae_model_free(model);
  ae_options_free(options);
  ae_options_free(wrong);
}

typedef struct counted {
  uint64_t done, count;
  int calls, stop_at;
} counted;

static int32_t on_count(void *context, uint64_t done, uint64_t count) {
  counted *c = context;
  c->done = done;
  c->count = count;
  return ++c->calls == c->stop_at;
}

/* These images are not of scans: that is found out, and said. tools/aez has the tests with digits. */
static void test_fit_lossless(void) {
  ae_options *wrong = options_of(AE_OPTIONS_TRAINING, ""), *options = options_of(AE_OPTIONS_LOSSLESS, "steps=10");
  ae_model *model = NULL, *plain = NULL;
  ae_trainer *trainer = NULL;
  counted c = {0, 0, 0, 1};
  check_status(ae_model_fit_lossless(NULL, elu, pixels, 20, options, NULL, NULL, &model), AE_ERROR_KIND,
               "soft discs have no scans");
  check(model == NULL && ae_last_error()[0] != 0, "which is said: %s", ae_last_error());
  check_status(ae_model_fit_lossless(NULL, elu, pixels, 0, options, NULL, NULL, &model), AE_ERROR_KIND, "no images");
  check_status(ae_model_fit_lossless(NULL, elu, NULL, 9, options, NULL, NULL, &model), AE_ERROR_ARGUMENT,
               "images at NULL");
  check_status(ae_model_fit_lossless(NULL, elu, pixels, SIZE_MAX, options, NULL, NULL, &model), AE_ERROR_ARGUMENT,
               "SIZE_MAX images");
  check_status(ae_model_fit_lossless(NULL, elu, pixels, 9, wrong, NULL, NULL, &model), AE_ERROR_ARGUMENT,
               "options of training");
  check_status(ae_model_fit_lossless(NULL, elu, pixels, 9, options, NULL, NULL, NULL), AE_ERROR_ARGUMENT, "into NULL");
  check_status(ae_model_fit_lossless(NULL, elu, pixels, COUNT, options, on_count, &c, &model), AE_ERROR_STOPPED,
               "a callback stops the search");
  check(model == NULL && c.calls == 1 && (c.count == 0 || c.done <= c.count), "at its first call");
  plain = bare(AE_KIND_LINEAR, "steps=5", &trainer);
  check_status(ae_model_fit_lossless(NULL, plain, pixels, 9, options, NULL, NULL, &model), AE_ERROR_KIND,
               "a model without codec");
  ae_model_free(plain);
  ae_trainer_free(trainer);
  ae_options_free(options);
  ae_options_free(wrong);
}

static void test_qualities(void) {
  const ae_model *const models[] = {elu, vae};
  ae_quality_information quality;
  ae_trainer *trainer = NULL;
  ae_model *plain;
  struct {
    ae_quality_information known;
    char later[16];
  } longer;
  for (size_t m = 0; m < 2; m++) {
    const ae_model_information info = info_of(models[m]);
    int defaults = 0, sound = 1;
    double bytes = 0, psnr = 0;
    check(ae_quality_count(NULL, models[m]) == info.quality_count && info.quality_count > 0, "%s: has qualities", info.name);
    for (int32_t q = 1; q <= info.quality_count; q++) {
      memset(&quality, 0xEE, sizeof quality);
      quality.struct_size = sizeof quality;
      if (!check_status(ae_quality_info(NULL, models[m], q, &quality), AE_OK, "%s: quality %d", info.name, q)) continue;
      sound = sound && strcmp(quality.model_name, info.name) == 0 && quality.bytes_per_image >= bytes &&
              quality.psnr >= psnr - 0.2 && isfinite(quality.psnr) && isfinite(quality.bytes_per_image) &&
              (quality.is_default == 0 || quality.is_default == 1);
      defaults += quality.is_default && q == info.default_quality;
      bytes = quality.bytes_per_image;
      psnr = quality.psnr;
    }
    check(sound, "%s: each tells its bytes and error, which go together", info.name);
    check(bytes > 0 && psnr > 0, "%s: figures of the images that it was fitted to (%.2f bytes, %.2f dB)", info.name, bytes,
          psnr);
    check(defaults == 1, "%s: one of them is the default", info.name);
    check_status(ae_quality_info(NULL, models[m], 0, &quality), AE_ERROR_ARGUMENT, "%s: quality 0", info.name);
    check_status(ae_quality_info(NULL, models[m], -1, &quality), AE_ERROR_ARGUMENT, "%s: quality -1", info.name);
    check_status(ae_quality_info(NULL, models[m], info.quality_count + 1, &quality), AE_ERROR_ARGUMENT, "%s: one too many",
                 info.name);
    check_status(ae_quality_info(NULL, models[m], INT32_MAX, &quality), AE_ERROR_ARGUMENT, "%s: far too many", info.name);
  }
  plain = bare(AE_KIND_LINEAR, "steps=5", &trainer);
  check(ae_quality_count(NULL, plain) == 0, "a model without codec has none");
  check(ae_quality_info(NULL, plain, 1, &quality) != AE_OK, "not even the first: %s", ae_last_error());
  ae_model_free(plain);
  ae_trainer_free(trainer);
  quality.struct_size = sizeof quality - 8;
  check_status(ae_quality_info(NULL, elu, 1, &quality), AE_ERROR_VERSION, "information 8 bytes short");
  check_status(ae_quality_info(NULL, elu, 1, NULL), AE_ERROR_ARGUMENT, "information NULL");
  memset(&longer, 0xEE, sizeof longer);
  longer.known.struct_size = sizeof longer;
  check_status(ae_quality_info(NULL, elu, 1, &longer.known), AE_OK, "information of a later version");
  check(longer.known.struct_size == sizeof longer && longer.later[0] == 0 && longer.later[15] == 0,
        "keeps its size, and later fields are 0");
}

/* Bytes of grey and of colour, of which a predictor is made; what must be refused, and what it says of itself. */
static void test_predictor(void) {
  enum { SIDE = 6, IMAGES = 30 };
  static uint8_t bytes[IMAGES * SIDE * SIDE * 4];
  ae_options *wrong = options_of(AE_OPTIONS_LOSSLESS, "");
  ae_options *options = options_of(AE_OPTIONS_PREDICTOR, "steps=3 batch_size=64 hidden=4");
  ae_model *model = NULL, *next = NULL;
  ae_predictor_report report = {.struct_size = sizeof report};
  ae_model_information about = {.struct_size = sizeof about};
  counted c = {0, 0, 0, 0};
  float code[1];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7 % 253 + i / 50);
  for (int channels = 1; channels <= 4; channels += channels == 1 ? 2 : 1) {
    check_status(ae_predictor_fit(NULL, bytes, IMAGES, SIDE, SIDE, channels, options, NULL, on_count, &c, &report, &model),
                 AE_OK, "a predictor of %d channels", channels);
    check(c.done == 3 && c.count == 3, "whose steps are counted");
    check(report.held_out_count > 0 && report.contexts_bits > 0 && report.float_bits > 0 && report.integer_bits > 0 &&
              report.coded_bits > 0 && report.coded_bits < 17,
          "and which is measured: %f %f %f %f", report.contexts_bits, report.float_bits, report.integer_bits,
          report.coded_bits);
    check_status(ae_model_info(model, &about), AE_OK, "it tells of itself");
    check(about.kind == AE_KIND_PREDICTOR && about.has_predictor == 1 && about.width == 0 && about.height == 0 &&
              about.channels == 0 && about.latent_size == 0 && !about.has_encoder && !about.has_codec &&
              about.quality_count == 0 && about.storage == AE_STORAGE_INT8,
          "that it is a predictor of no size");
    check_status(ae_encode_u8(NULL, model, bytes, 1, code), AE_ERROR_KIND, "which has no codes");
    check_status(ae_model_quantize(NULL, model, bytes, 1, NULL, &next), AE_ERROR_KIND, "and is quantised already");
    check_status(ae_predictor_fit(NULL, bytes, IMAGES, SIDE, SIDE, 1, options, model, NULL, NULL, NULL, &next), AE_OK,
                 "another starts from it");
    ae_model_free(next);
    ae_model_free(model);
  }
  check_status(ae_predictor_fit(NULL, bytes, 1, 1, 1, 1, options, NULL, NULL, NULL, &report, &model), AE_OK,
               "an image of one pixel is enough");
  ae_model_free(model);
  model = NULL;
  check_status(ae_predictor_fit(NULL, bytes, 0, SIDE, SIDE, 1, options, NULL, NULL, NULL, NULL, &model),
               AE_ERROR_ARGUMENT, "no images");
  check_status(ae_predictor_fit(NULL, NULL, 3, SIDE, SIDE, 1, options, NULL, NULL, NULL, NULL, &model),
               AE_ERROR_ARGUMENT, "images at NULL");
  check_status(ae_predictor_fit(NULL, bytes, SIZE_MAX, SIDE, SIDE, 1, options, NULL, NULL, NULL, NULL, &model),
               AE_ERROR_ARGUMENT, "SIZE_MAX images");
  check_status(ae_predictor_fit(NULL, bytes, 1, 257, 1, 1, options, NULL, NULL, NULL, NULL, &model), AE_ERROR_ARGUMENT,
               "a side of 257");
  check_status(ae_predictor_fit(NULL, bytes, 1, 0, -1, 1, options, NULL, NULL, NULL, NULL, &model), AE_ERROR_ARGUMENT,
               "no pixels");
  check_status(ae_predictor_fit(NULL, bytes, 1, 2, 2, 2, options, NULL, NULL, NULL, NULL, &model), AE_ERROR_ARGUMENT,
               "two channels");
  check_status(ae_predictor_fit(NULL, bytes, 9, SIDE, SIDE, 1, wrong, NULL, NULL, NULL, NULL, &model),
               AE_ERROR_ARGUMENT, "options of another table");
  check_status(ae_predictor_fit(NULL, bytes, 9, SIDE, SIDE, 1, options, elu, NULL, NULL, NULL, &model), AE_ERROR_KIND,
               "a start without a predictor");
  check_status(ae_predictor_fit(NULL, bytes, 9, SIDE, SIDE, 1, options, NULL, NULL, NULL, NULL, NULL),
               AE_ERROR_ARGUMENT, "into NULL");
  report.struct_size = 3;
  check_status(ae_predictor_fit(NULL, bytes, 9, SIDE, SIDE, 1, options, NULL, NULL, NULL, &report, &model),
               AE_ERROR_VERSION, "a report of three bytes");
  c = (counted){0, 0, 0, 1};
  check_status(ae_predictor_fit(NULL, bytes, 9, SIDE, SIDE, 1, options, NULL, on_count, &c, NULL, &model),
               AE_ERROR_STOPPED, "a callback stops");
  check(model == NULL && c.calls == 1, "after one step");
  check_status(ae_options_set(options, "hidden", "1024,1024"), AE_OK, "hidden layers of too many weights");
  check_status(ae_predictor_fit(NULL, bytes, 9, SIDE, SIDE, 1, options, NULL, NULL, NULL, NULL, &model),
               AE_ERROR_ARGUMENT, "are told when they are used");
  ae_options_free(options);
  ae_options_free(wrong);
}

/* A model shrunk: what is told, what must be refused, and that it compresses. */
static void test_shrink(void) {
  enum { IMAGES = 60 };
  size_t size = ae_input_size(elu), needed = 0;
  uint8_t *images = malloc(IMAGES * size), *set = malloc(1 << 20);
  ae_options *options = options_of(AE_OPTIONS_SHRINKING, "steps=20 density=0.2 seed=3 name=small");
  ae_options *wrong = options_of(AE_OPTIONS_LOSSLESS, "");
  ae_options *drawn = options_of(AE_OPTIONS_SHRINKING, "steps=3 density=0.5 samples=100");
  ae_options *loss = options_of(AE_OPTIONS_SHRINKING, "target_loss=0.25dB");
  ae_model *model = NULL;
  ae_shrink_report report = {.struct_size = sizeof report};
  ae_model_information about = {.struct_size = sizeof about};
  counted c = {0, 0, 0, 0};
  char text[16];
  if (!images || !set) require(NULL);
  for (size_t i = 0; i < IMAGES * size; i++) images[i] = (uint8_t)(i * 7 % 253 + i / 50);
  check_status(ae_options_get(loss, "target_loss", text, sizeof text, &needed), AE_OK, "the unit of a loss");
  check(strcmp(text, "0.25") == 0, "may be given: %s", text);
  check_status(ae_options_set(loss, "target_loss", "0.25dBm"), AE_ERROR_ARGUMENT, "but not another");
  check_status(ae_options_set(loss, "target_loss", "dB"), AE_ERROR_ARGUMENT, "nor alone");
  check_status(ae_model_shrink(NULL, elu, images, IMAGES, options, on_count, &c, &report, &model), AE_OK, "a model is shrunk");
  check(c.done == 20 && c.count == 20, "its steps are counted");
  check(report.density == 0.2 && isfinite(report.loss) && report.held_out_count == IMAGES / 10, "and it is measured: %f dB",
        report.loss);
  check_status(ae_model_info(model, &about), AE_OK, "it tells of itself");
  check(about.has_encoder && about.has_codec && strcmp(about.name, "small") == 0, "that it encodes and has a codec");
  check_status(ae_compress(NULL, model, images, IMAGES, NULL, NULL, set, 1 << 20, &needed), AE_OK, "it compresses");
  ae_model_free(model);
  check_status(ae_model_shrink(NULL, elu, NULL, 0, drawn, NULL, NULL, &report, &model), AE_OK, "without images");
  check(report.held_out_count == 10, "it draws some itself");
  ae_model_free(model);
  model = NULL;
  check_status(ae_model_shrink(NULL, elu, images, 19, options, NULL, NULL, NULL, &model), AE_ERROR_ARGUMENT, "19 images");
  check_status(ae_model_shrink(NULL, elu, NULL, 30, options, NULL, NULL, NULL, &model), AE_ERROR_ARGUMENT, "images at NULL");
  check_status(ae_model_shrink(NULL, elu, images, SIZE_MAX, options, NULL, NULL, NULL, &model), AE_ERROR_ARGUMENT,
               "SIZE_MAX images");
  check_status(ae_model_shrink(NULL, elu, images, IMAGES, wrong, NULL, NULL, NULL, &model), AE_ERROR_ARGUMENT,
               "options of another table");
  check_status(ae_model_shrink(NULL, elu, images, IMAGES, options, NULL, NULL, NULL, NULL), AE_ERROR_ARGUMENT, "into NULL");
  report.struct_size = 3;
  check_status(ae_model_shrink(NULL, elu, images, IMAGES, options, NULL, NULL, &report, &model), AE_ERROR_VERSION,
               "a report of three bytes");
  c = (counted){0, 0, 0, 1};
  check_status(ae_options_set(options, "steps", "2000"), AE_OK, "more steps");
  check_status(ae_model_shrink(NULL, elu, images, IMAGES, options, on_count, &c, NULL, &model), AE_ERROR_STOPPED,
               "a callback stops");
  check(model == NULL && c.calls == 1, "at once");
  ae_options_free(options);
  ae_options_free(wrong);
  ae_options_free(drawn);
  ae_options_free(loss);
  free(images);
  free(set);
}

/* ---- Networks of one's own ---- */

/* A description, and the numbers of its arrays: weights and biases of each node with weights, encoder then decoder. */
typedef struct family {
  const char *name, *description;
  struct {
    const char *name;
    size_t count;
  } tensors[20];
} family;

static const family families[] = {
    {"dense with GELU",
     "kind=custom width=9 height=7 latent_size=5 variational=false output_activation=linear "
     "encoder=dense(outputs=20,activation=gelu);dense(outputs=5) decoder=dense(outputs=20,activation=gelu);dense(outputs=63) "
     "name=a name",
     {{"encoder.0.weight", 1260},
      {"encoder.0.bias", 20},
      {"encoder.1.weight", 100},
      {"encoder.1.bias", 5},
      {"decoder.0.weight", 100},
      {"decoder.0.bias", 20},
      {"decoder.1.weight", 1260},
      {"decoder.1.bias", 63}}},
    {"residual, pooled, upsampled",
     "kind=custom width=8 height=8 channels=3 latent_size=6 variational=false output_activation=sigmoid "
     "encoder=convolution(channels=4,kernel=3,padding=1,activation=relu);convolution(channels=4,kernel=3,padding=1);"
     "add(1,0,activation=leaky_relu:0.2);max_pool(kernel=2,stride=2);mean_pool(kernel=2,stride=2);channels_first();"
     "dense(outputs=6) "
     "decoder=dense(outputs=16,activation=silu);channels_last(height=2,width=2,channels=4);upsample(factor=2);"
     "transposed_convolution(channels=4,kernel=4,stride=2,padding=1,activation=tanh);concatenate(3,3);"
     "activation(activation=gelu_tanh);convolution(channels=3,kernel=1,activation=sigmoid) name=colour",
     {{"encoder.0.weight", 108},
      {"encoder.0.bias", 4},
      {"encoder.1.weight", 144},
      {"encoder.1.bias", 4},
      {"encoder.6.weight", 96},
      {"encoder.6.bias", 6},
      {"decoder.0.weight", 96},
      {"decoder.0.bias", 16},
      {"decoder.3.weight", 256},
      {"decoder.3.bias", 4},
      {"decoder.6.weight", 24},
      {"decoder.6.bias", 3}}},
    {"variational, of RGBA",
     "kind=custom width=6 height=5 channels=4 latent_size=3 variational=true output_activation=sigmoid "
     "encoder=convolution(channels=5,kernel=3,stride=2,padding=1,activation=elu);mean_pool(whole=true);dense(outputs=6) "
     "decoder=dense(height=5,width=6,channels=4,activation=sigmoid) name=alpha",
     {{"encoder.0.weight", 180},
      {"encoder.0.bias", 5},
      {"encoder.2.weight", 30},
      {"encoder.2.bias", 6},
      {"decoder.0.weight", 360},
      {"decoder.0.bias", 120}}}};

static void test_family(const family *f) {
  enum { IMAGES = 40, MOST = 8 * 8 * 4 };
  static uint8_t images[IMAGES * MOST], restored[IMAGES * MOST];
  static float codes[2][IMAGES * 8], decoded[2][IMAGES * MOST];
  static float numbers[4096];
  ae_tensor tensors[MOST_TENSORS], told;
  ae_model *model = NULL, *back = NULL, *fitted = NULL;
  ae_model_information info, other;
  size_t count = 0, at = 0, size = 0, input;
  uint32_t state = 1;
  char *description;
  void *file;
  int alike = 1;
  for (; f->tensors[count].name != NULL; count++) {
    tensors[count] = (ae_tensor){sizeof *tensors, f->tensors[count].name, numbers + at, f->tensors[count].count};
    for (size_t i = 0; i < tensors[count].count; i++) {
      state = state * 1664525 + 1013904223;
      numbers[at++] = ((float)(state >> 8) / 16777216 - 0.5f) * 0.6f;
    }
  }
  if (!check_status(ae_model_create(NULL, f->description, tensors, count, &model), AE_OK, "%s: is made", f->name)) return;
  info = info_of(model);
  input = ae_input_size(model);
  check(info.kind == AE_KIND_CUSTOM && input == (size_t)(info.width * info.height * info.channels) && input <= MOST,
        "%s: tells its kind and sizes", f->name);
  check(info.parameter_count == at && info.has_encoder == 1, "%s: has as many parameters as came", f->name);
  description = description_of(model);
  /* A grey one's channels go without saying. */
  check(strcmp(description, f->description) == 0, "%s: is described in the same words: %s", f->name, description);
  free(description);
  for (size_t i = 0; i < count; i++) {
    memset(&told, 0xEE, sizeof told);
    told.struct_size = sizeof told;
    alike = alike && ae_model_tensor(model, i, &told) == AE_OK && strcmp(told.name, tensors[i].name) == 0 &&
            told.count == tensors[i].count && memcmp(told.values, tensors[i].values, told.count * sizeof(float)) == 0;
  }
  told.struct_size = sizeof told;
  check(alike && ae_model_tensor(model, count, &told) == AE_ERROR_ARGUMENT, "%s: gives its arrays by number", f->name);

  for (size_t i = 0; i < IMAGES * input; i++) images[i] = (uint8_t)(i * 7 % 199 + i / input);
  check_status(ae_encode_u8(NULL, model, images, IMAGES, codes[0]), AE_OK, "%s: encodes", f->name);
  check_status(ae_decode(NULL, model, codes[0], IMAGES, decoded[0]), AE_OK, "%s: decodes", f->name);
  file = saved(model, AE_STORAGE_FLOAT32, 0, &size);
  if (check_status(ae_model_open_memory(NULL, file, size, &back), AE_OK, "%s: its file is read", f->name)) {
    check(ae_encode_u8(NULL, back, images, IMAGES, codes[1]) == AE_OK &&
              memcmp(codes[0], codes[1], IMAGES * ae_latent_size(model) * sizeof(float)) == 0 &&
              ae_decode(NULL, back, codes[0], IMAGES, decoded[1]) == AE_OK &&
              memcmp(decoded[0], decoded[1], IMAGES * input * sizeof(float)) == 0,
          "%s: and is the same network", f->name);
    check(same_bytes(model, back, AE_STORAGE_FLOAT32), "%s: and the same file", f->name);
  }
  ae_model_free(back);
  free(file);

  if (check_status(ae_model_quantize(NULL, model, images, IMAGES, NULL, &fitted), AE_OK, "%s: is fitted", f->name)) {
    info = info_of(fitted);
    file = saved(fitted, AE_STORAGE_INT8, 0, &size);
    if (check_status(ae_model_open_memory(NULL, file, size, &back), AE_OK, "%s: its integers are read", f->name)) {
      other = info_of(back);
      check(strlen(info.hash) == 64 && strcmp(info.hash, other.hash) == 0, "%s: and have its hash", f->name);
      check(ae_encode_u8(NULL, back, images, IMAGES, codes[1]) == AE_OK &&
                ae_decode_u8(NULL, back, codes[1], IMAGES, restored) == AE_OK,
            "%s: and encode and decode", f->name);
    }
    ae_model_free(back);
    free(file);
  }
  ae_model_free(fitted);
  ae_model_free(model);
}

/* Lists that are none, and what is said of each. */
static void test_hostile_lists(void) {
#define CUSTOM(encoder, decoder)                                                                                        \
  "kind=custom width=4 height=4 latent_size=2 output_activation=linear encoder=" encoder " decoder=" decoder
  static const struct {
    const char *description, *says;
  } wrong[] = {
      {"kind=custom width=4 height=4 latent_size=2", "needs both encoder and decoder"},
      {"kind=elu encoder=dense(outputs=5)", "are of the kind custom"},
      {"kind=vae variational=true", "are of the kind custom"},
      {CUSTOM("dense(outputs=2)", "dense(outputs=16) hidden=4"), "has no hidden"},
      {CUSTOM("dense(0,outputs=2)", "dense(outputs=16)"), "encoder: node 0, dense: it reads node 0, which"},
      {CUSTOM("dense(1,outputs=2);dense(0,outputs=2)", "dense(outputs=16)"), "it reads node 1, which does not come"},
      {CUSTOM("dense(outputs=2)", "dense(outputs=15)"), "decoder: the last node gives 15 numbers, 16 are expected"},
      {CUSTOM("dense(outputs=2)", "dense(height=99999,width=99999,channels=99999)"), "decoder: node 0, dense: it would"},
      {CUSTOM("add(input,3)", "dense(outputs=16)"), "it reads node 3"},
      {CUSTOM("dense(outputs=9);add(input,0);dense(outputs=2)", "dense(outputs=16)"), "its sources are"},
      {CUSTOM("((((((", "dense(outputs=16)"), "operation(arguments) is expected"},
      {CUSTOM("dense(outputs=2)", "dense(outputs=99999999999999999999)"), "must be a whole number"},
      {CUSTOM("dense(outputs=3);dense(input,outputs=2)", "dense(outputs=16)"), "node 0, dense: no node reads it"},
      {CUSTOM("dense(outputs=2) channels=2", "dense(outputs=16)"), "channels must be 1, 3 or 4"}};
  ae_model *model = NULL;
  enum { LONG = 1000000 };
  char *text = require(malloc(LONG + 1));
  ae_options *options = options_of(AE_OPTIONS_TRAINING, "kind=custom");
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    check_status(ae_model_create(NULL, wrong[i].description, NULL, 0, &model), AE_ERROR_ARGUMENT, "%s",
                 wrong[i].description);
    check(model == NULL && strstr(ae_last_error(), wrong[i].says) != NULL, "is no network: %s", ae_last_error());
  }
  memset(text, ';', LONG);
  text[LONG] = 0;
  check_status(ae_options_set(options, "encoder", text), AE_ERROR_ARGUMENT, "a million semicolons");
  text[59999] = 0;
  check_status(ae_options_set(options, "encoder", text), AE_OK, "59,999 of them are a text");
  memcpy(text, "kind=custom decoder=dense(outputs=784) encoder=", 47);
  check_status(ae_model_create(NULL, text, NULL, 0, &model), AE_ERROR_ARGUMENT, "but no network: %s", ae_last_error());
  ae_options_free(options);
  free(text);
}

void test_tensors(void) {
  for (int32_t kind = AE_KIND_PCA; kind <= AE_KIND_CONV_VAE; kind++) test_round_trip(kind);
  test_round_trip(AE_KIND_RESIDUAL_VAE);
  for (size_t i = 0; i < sizeof families / sizeof *families; i++) test_family(&families[i]);
  test_hostile_lists();
  test_wrong_tensors();
  test_names();
  test_decoder_alone();
  test_quantize();
  test_fit_lossless();
  test_predictor();
  test_shrink();
  test_qualities();
}
