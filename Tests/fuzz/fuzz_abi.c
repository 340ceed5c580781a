/*
 * Fuzzes what the C interface reads: weight files, checkpoints and image sets, each input as it is and with
 * its sizes and checksums made right, since a wrong checksum would stop nearly every change at the door.
 * What opens is used: nothing may end the process, and AE_ERROR_INTERNAL is a finding, too.
 *
 * With -DFUZZ_STANDALONE it brings its own main and changes seed files at random, the same way for a seed:
 *
 *   fuzz_abi INPUTS SEED FILES...
 *
 * Without, it is a libFuzzer target; AE_FUZZ_MODELS then names weight files, separated by colons, that sets
 * are opened with. Tests/fuzz/abi.sh builds and runs either.
 */
#include <ae.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MODELS = 16, ROOM = 1 << 20 };
static ae_model *models[MODELS];
static ae_model_information known[MODELS];
static int model_count;
static size_t opened;

static void finding(const char *what) {
  fprintf(stderr, "fuzz_abi: %s: %s\n", what, ae_last_error());
  abort();
}

static void expect(ae_status status) {
  if (status == AE_ERROR_INTERNAL) finding("a call met an inner contradiction");
  if (status != AE_OK && ae_last_error()[0] == 0) finding("an error without a message");
}

/* ---- Using what opens ---- */

static void use_model(const ae_model *model) {
  size_t input = ae_input_size(model), latent = ae_latent_size(model), size = 0;
  uint8_t *images = calloc(3, input);
  float *latents = calloc(3, latent * sizeof(float));
  ae_model_information info;
  info.struct_size = sizeof info;
  expect(ae_model_info(model, &info));
  if (info.parameter_count < 100000 && images != NULL && latents != NULL) {
    for (size_t i = 0; i < 3 * input; i++) images[i] = (uint8_t)(i * 37);
    expect(ae_encode_u8(model, images, 3, latents));
    expect(ae_decode_u8(model, latents, 3, images));
    expect(vae_sample_u8(model, 3, 1, images));
    for (int32_t storage = 0; storage < 3; storage++) expect(ae_model_save(model, storage, 0, NULL, 0, &size));
    expect(ae_compress(model, images, 3, NULL, NULL, 0, &size));
  }
  free(images);
  free(latents);
}

static void use_set(const ae_imageset *set) {
  static uint8_t room[ROOM];
  static float latents[ROOM];
  ae_imageset_information info;
  size_t each, size = 0;
  char name[300];
  info.struct_size = sizeof info;
  expect(ae_imageset_info(set, &info));
  each = (size_t)info.width * (size_t)info.height;
  if (info.count <= ROOM / each) expect(ae_imageset_read(set, 0, (size_t)info.count, room));
  /* Sets of pixels alone have no codes. */
  if (info.latent_size > 0 && info.count <= ROOM / (size_t)info.latent_size)
    expect(ae_imageset_latents(set, 0, (size_t)info.count, latents));
  if (info.count > 0) expect(ae_imageset_read(set, info.count - 1, 1, room));
  if (info.count <= ROOM) expect(ae_imageset_labels(set, 0, (size_t)info.count, room));
  expect(ae_imageset_name(set, 0, name, sizeof name, &size));
  expect(ae_imageset_name(set, info.count - 1, name, sizeof name, &size));
}

static void open_all(const uint8_t *data, size_t size) {
  ae_model *model = NULL;
  ae_imageset *set = NULL;
  ae_trainer *trainer = NULL;
  expect(ae_model_open_memory(data, size, &model));
  if (model != NULL) use_model(model), opened++;
  ae_model_free(model);
  expect(ae_trainer_resume(data, size, NULL, &trainer));
  opened += trainer != NULL;
  ae_trainer_free(trainer);
  for (int i = -1; i < model_count; i++) {
    expect(ae_imageset_open_memory(data, size, i < 0 ? NULL : models[i], &set));
    if (set == NULL) continue;
    use_set(set);
    opened++;
    ae_imageset_free(set);
    break;
  }
}

/* ---- Making sizes and checksums right: docs/format-aew.md and docs/format-aez.md ---- */

static uint64_t get(const uint8_t *at, int width) {
  uint64_t value = 0;
  for (int i = 0; i < width; i++) value |= (uint64_t)at[i] << 8 * i;
  return value;
}

static void put(uint8_t *at, int width, uint64_t value) {
  for (int i = 0; i < width; i++) at[i] = (uint8_t)(value >> 8 * i);
}

static void repair_weights(uint8_t *file, size_t size) {
  uint64_t sections, offset;
  uLong crc;
  if (size < 32) return;
  put(file + 16, 8, size);
  sections = get(file + 24, 4);
  if (sections == 0 || sections > 64 || 32 + 32 * sections > size) return;
  offset = 32 + 32 * sections;
  for (uint64_t i = 0; i < sections; i++) {
    uint8_t *line = file + 32 + 32 * i;
    uint64_t stored;
    if (i == sections - 1) put(line + 8, 8, size - offset);
    if (get(line + 4, 4) == 0) put(line + 16, 8, get(line + 8, 8));
    stored = get(line + 8, 8);
    if (stored > size - offset) return;
    put(line + 24, 4, crc32(crc32(0, NULL, 0), file + offset, (uInt)stored));
    offset += stored;
  }
  crc = crc32(crc32(0, NULL, 0), file, 28);
  put(file + 28, 4, crc32(crc, file + 32, (uInt)(32 * sections)));
}

/* A choice that depends on the input alone. */
static int random_bit(const uint8_t *file, size_t size) { return crc32(0, file, (uInt)size) >> 7 & 1; }

static void repair_set(uint8_t *file, size_t size) {
  uint64_t header, count, per_block, blocks, offset;
  if (size < 136) return;
  header = 132 + (uint64_t)file[23];
  count = get(file + 32, 8);
  per_block = get(file + 24, 4);
  if (header + 4 > size || per_block == 0 || count > 1u << 28) return;
  blocks = (count + per_block - 1) / per_block;
  offset = header + 4 + 9 * blocks + 4;
  if (offset > size) return;
  for (int i = 0; i < 3; i++) {
    uint8_t *section = file + 72 + 20 * i;
    uint64_t stored = get(section, 8);
    if (stored > size - offset) return;
    if (stored > 0) put(section + 16, 4, crc32(crc32(0, NULL, 0), file + offset, (uInt)stored));
    if (i == 0 && stored > 0) repair_weights(file + offset, (size_t)stored);
    offset += stored;
  }
  for (uint64_t i = 0; i < blocks; i++) {
    uint8_t *entry = file + header + 4 + 9 * i;
    uint64_t stored;
    if (i == blocks - 1) put(entry + 1, 4, size - offset);
    stored = get(entry + 1, 4);
    if (stored > size - offset) return;
    put(entry + 5, 4, crc32(crc32(0, NULL, 0), file + offset, (uInt)stored));
    offset += stored;
  }
  put(file + header + 4 + 9 * blocks, 4, crc32(crc32(0, NULL, 0), file + header + 4, (uInt)(9 * blocks)));
  /* The hash of a model that is here and of that shape, but for sets that bring their own. */
  for (int m = 0; m < model_count && get(file + 72, 8) == 0; m++) {
    if (get(file + 12, 2) != (uint64_t)known[m].width || get(file + 14, 2) != (uint64_t)known[m].height ||
        get(file + 18, 2) != (uint64_t)known[m].latent_size)
      continue;
    for (int i = 0; i < 32; i++) {
      unsigned byte = 0;
      sscanf(known[m].hash + 2 * i, "%2x", &byte);
      file[40 + i] = (uint8_t)byte;
    }
    if (random_bit(file, size)) break; /* or the next that fits */
  }
  put(file + header, 4, crc32(crc32(0, NULL, 0), file, (uInt)header));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t *copy = calloc(size > 0 ? size : 1, 1);
  if (copy == NULL) return 0;
  if (size > 0) memcpy(copy, data, size); /* exactly as long as it says, for tools that watch memory */
  open_all(copy, size);
  if (size > 3 && copy[3] == 'W') repair_weights(copy, size);
  if (size > 3 && copy[3] == 'Z') repair_set(copy, size);
  open_all(copy, size);
  free(copy);
  return 0;
}

static void add_model(const char *path) {
  ae_model_information info;
  if (model_count == MODELS || ae_model_open(path, &models[model_count]) != AE_OK) return;
  info.struct_size = sizeof info;
  if (ae_model_info(models[model_count], &info) != AE_OK || !info.has_codec) {
    ae_model_free(models[model_count]);
    return;
  }
  known[model_count++] = info;
}

#ifndef FUZZ_STANDALONE

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  const char *list = getenv("AE_FUZZ_MODELS");
  (void)argc;
  (void)argv;
  while (list != NULL && *list != 0) {
    char path[512];
    size_t length = strcspn(list, ":");
    snprintf(path, sizeof path, "%.*s", (int)length, list);
    add_model(path);
    list += length + (list[length] == ':');
  }
  return 0;
}

#else

static uint64_t random_state;
static uint32_t random_word(void) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(random_state >> 33);
}
static size_t random_below(size_t bound) { return bound > 0 ? random_word() % bound : 0; }

typedef struct seed_file {
  uint8_t *bytes;
  size_t size;
} seed_file;

/* One to four changes of the kinds that readers get wrong. */
static size_t change(uint8_t *file, size_t size, size_t room, const seed_file *other) {
  static const uint64_t edges[] = {0, 1, 127, 128, 255, 256, 65535, 65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
                                   0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF};
  for (size_t n = 1 + random_below(4); n > 0 && size > 0; n--) {
    /* Half of all changes meet the headers, which are small. */
    size_t at = random_below(random_word() % 3 == 0 && size > 200 ? 200 : size);
    int width = 1 << random_below(4);
    switch (random_below(7)) {
    case 0: file[at] ^= (uint8_t)(1u << random_below(8)); break;
    case 1: file[at] = (uint8_t)random_word(); break;
    case 2: file[at] = (uint8_t)(file[at] + random_below(9) - 4); break;
    case 3:
      if (at + (size_t)width <= size) put(file + at, width, edges[random_below(sizeof edges / sizeof *edges)]);
      break;
    case 4: size = at + 1; break;
    case 5: {
      size_t more = random_below(64);
      if (size + more > room) break;
      memmove(file + at + more, file + at, size - at);
      size += more;
      break;
    }
    default: {
      size_t from = random_below(other->size), length = random_below(256);
      if (length > other->size - from) length = other->size - from;
      if (length > size - at) length = size - at;
      memcpy(file + at, other->bytes + from, length);
    }
    }
  }
  return size;
}

int main(int argc, char **argv) {
  static seed_file seeds[1024];
  static uint8_t input[ROOM];
  size_t count = 0;
  unsigned long inputs;
  if (argc < 4) {
    fprintf(stderr, "usage: fuzz_abi INPUTS SEED FILES...\n");
    return 64;
  }
  inputs = strtoul(argv[1], NULL, 10);
  random_state = strtoull(argv[2], NULL, 10);
  for (int i = 3; i < argc && count < 1024; i++) {
    FILE *file = fopen(argv[i], "rb");
    size_t size = file == NULL ? 0 : fread(input, 1, ROOM / 2, file);
    if (file != NULL) fclose(file);
    if (size == 0 || size == ROOM / 2) continue; /* too large to change in a meaningful way */
    seeds[count].bytes = malloc(size);
    if (seeds[count].bytes == NULL) return 1;
    memcpy(seeds[count].bytes, input, size);
    seeds[count++].size = size;
    add_model(argv[i]);
  }
  if (count == 0) {
    fprintf(stderr, "fuzz_abi: no seed file could be read\n");
    return 1;
  }
  for (size_t i = 0; i < count; i++) LLVMFuzzerTestOneInput(seeds[i].bytes, seeds[i].size);
  for (unsigned long i = 0; i < inputs; i++) {
    const seed_file *seed = &seeds[random_below(count)];
    memcpy(input, seed->bytes, seed->size);
    LLVMFuzzerTestOneInput(input, change(input, seed->size, ROOM, &seeds[random_below(count)]));
  }
  printf("ok       %lu changes of %zu files ended no process; %zu inputs were sound\n", inputs, count, opened);
  return 0;
}

#endif
