/*
 * Refuses the library memory: in every call of ae.h, each allocation in turn, and all from each one on. It is a
 * program of its own because it stands in for the system's allocator, which it does by defining its functions:
 * those of libae.so, libz and libc's that the library calls are bound to them.
 *
 *   memory [MOST] [FILTER]    at most MOST allocations of a call, 0 for all, spread evenly; default 40
 *
 * A call that was refused memory returns AE_ERROR_MEMORY, or AE_OK where it could do without; the same call then
 * succeeds with the same result; nothing is lost. A trap ends a child process, and is counted.
 */
#define _GNU_SOURCE
#include <ae.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The allocator ---- */

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

static _Atomic int counting, rest_fails;
static _Atomic long allocations, failing = -1, failed_count, live;

/* Whether the next allocation is to be refused. */
static int refuse(void) {
  if (!atomic_load(&counting)) return 0;
  long index = atomic_fetch_add(&allocations, 1), first = atomic_load(&failing);
  if (first < 0 || (atomic_load(&rest_fails) ? index < first : index != first)) return 0;
  atomic_fetch_add(&failed_count, 1);
  errno = ENOMEM;
  return 1;
}

static void *given(void *memory) {
  if (memory) atomic_fetch_add(&live, 1);
  return memory;
}

/* What Swift's objects take: they alone are asked for by posix_memalign on no more than 16 bytes. */
enum { PLACES = 1 << 16 };
static void *_Atomic objects[PLACES];
static _Atomic long objects_bytes, objects_most;

static void object_made(void *memory) {
  if (!memory || !atomic_load(&counting)) return;
  for (size_t i = (uintptr_t)memory >> 4, tries = 0; tries < 64; i++, tries++) {
    void *none = NULL;
    if (!atomic_compare_exchange_strong(&objects[i % PLACES], &none, memory)) continue;
    long bytes = (long)malloc_usable_size(memory);
    bytes += atomic_fetch_add(&objects_bytes, bytes);
    long most = atomic_load(&objects_most);
    while (bytes > most && !atomic_compare_exchange_weak(&objects_most, &most, bytes)) {
    }
    return;
  }
}

static void object_freed(void *memory) {
  if (!memory || atomic_load(&objects_bytes) == 0) return;
  for (size_t i = (uintptr_t)memory >> 4, tries = 0; tries < 64; i++, tries++) {
    void *here = memory;
    if (!atomic_compare_exchange_strong(&objects[i % PLACES], &here, NULL)) continue;
    atomic_fetch_sub(&objects_bytes, (long)malloc_usable_size(memory));
    return;
  }
}

void *malloc(size_t size) { return refuse() ? NULL : given(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return refuse() ? NULL : given(__libc_calloc(count, size)); }
void *realloc(void *memory, size_t size) {
  if (refuse()) return NULL;
  return memory ? __libc_realloc(memory, size) : given(__libc_malloc(size));
}
void *aligned_alloc(size_t alignment, size_t size) { return refuse() ? NULL : given(__libc_memalign(alignment, size)); }
void *memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }
int posix_memalign(void **memory, size_t alignment, size_t size) {
  void *fresh = refuse() ? NULL : given(__libc_memalign(alignment, size));
  if (fresh) *memory = fresh;
  if (alignment <= 16) object_made(fresh);
  return fresh ? 0 : ENOMEM;
}
void free(void *memory) {
  object_freed(memory);
  if (memory) atomic_fetch_sub(&live, 1);
  __libc_free(memory);
}

/* ---- What is shared with the children that try ---- */

static struct shared {
  long next, total, tries, refusals, in_memory, in_ok, faults, objects_most;
  int mode;
  char fault[400];
} * shared;

static int faults_shown;

static void fault(const char *format, ...) {
  char text[400];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  if (shared->faults++ == 0) memcpy(shared->fault, text, sizeof text);
  if (faults_shown++ < 5) printf("  %s\n", text);
  fflush(stdout);
}

static void must(int condition, const char *what) {
  if (condition) return;
  printf("NOT OK   the test itself: %s (%s)\n", what, ae_last_error());
  exit(3);
}
#define OK(call) must((call) == AE_OK, #call)

/* ---- What is tried on ---- */

enum { SIDE = 8, SIZE = SIDE * SIDE, COUNT = 48, LATENTS = 4, KINDS = 7 };
static const char *const kind_names[KINDS] = {"pca", "linear", "sigmoid", "relu", "elu", "vae", "conv-vae"};
static uint8_t pixels[COUNT * SIZE], labels[COUNT];
static float values[COUNT * SIZE];

typedef struct bytes {
  void *data;
  size_t size;
} bytes;
static bytes weights[KINDS][2]; /* as floats, as int8 */
static bytes sets[6], checkpoints[KINDS], scan_weights;
static char folder[] = "/tmp/ae-memory-XXXXXX", model_path[64], set_path[64], bare_path[64], out_path[64];
static uint8_t *scans;
static size_t scan_count;

static void draw(void) {
  unsigned state = 1;
  for (int i = 0; i < COUNT; i++) {
    state = state * 1664525u + 1013904223u;
    int cx = 2 + (int)(state >> 29) % 4, cy = 2 + (int)(state >> 25) % 4;
    labels[i] = (uint8_t)cx;
    for (int p = 0; p < SIZE; p++) {
      int dx = p % SIDE - cx, dy = p / SIDE - cy, value = 255 - 40 * (dx * dx + dy * dy);
      pixels[i * SIZE + p] = (uint8_t)(value < 0 ? 0 : value);
      values[i * SIZE + p] = (float)pixels[i * SIZE + p] / 255;
    }
  }
}

static ae_options *options_of(int32_t table, const char *text) {
  ae_options *options;
  char pair[200];
  OK(ae_options_create(table, &options));
  while (*text) {
    int size = (int)strcspn(text, " ");
    snprintf(pair, sizeof pair, "%.*s", size, text);
    char *value = strchr(pair, '=');
    must(value != NULL, pair);
    *value++ = 0;
    OK(ae_options_set(options, pair, value));
    text += size + (text[size] == ' ');
  }
  return options;
}

static ae_options *trainer_options(int kind) {
  ae_options *options = options_of(AE_OPTIONS_TRAINING, "width=8 height=8 latent_size=4 batch_size=16 steps=3");
  OK(ae_options_set_integer(options, "kind", kind));
  OK(ae_options_set(options, "hidden", kind == AE_KIND_CONV_VAE ? "4,12" : "12"));
  if (kind == AE_KIND_ELU) OK(ae_options_set_number(options, "validation_fraction", 0.25));
  if (kind == AE_KIND_RELU) OK(ae_options_set_number(options, "weight_average", 0.5));
  OK(ae_options_set(options, "name", "a name that is too long to lie within a string itself"));
  return options;
}

static bytes saved(const ae_model *model, int32_t storage) {
  bytes result = {NULL, 0};
  OK(ae_model_save(model, storage, 0, NULL, 0, &result.size));
  result.data = malloc(result.size);
  OK(ae_model_save(model, storage, 0, result.data, result.size, &result.size));
  return result;
}

static bytes packed(const ae_model *model, const ae_options *options, const uint8_t *of) {
  bytes result = {NULL, 0};
  OK(ae_compress_bound(NULL, model, COUNT, options, &result.size));
  result.data = malloc(result.size + 1);
  OK(ae_compress(NULL, model, pixels, COUNT, of, options, result.data, result.size, &result.size));
  return result;
}

static ae_model *opened(bytes file) {
  ae_model *model;
  OK(ae_model_open_memory(NULL, file.data, file.size, &model));
  return model;
}

static bytes read_file(const char *path) {
  bytes result = {NULL, 0};
  FILE *file = fopen(path, "rb");
  if (!file) return result;
  result.data = malloc(1 << 20);
  result.size = fread(result.data, 1, 1 << 20, file);
  fclose(file);
  return result;
}

static ae_options *compress_options(int which) {
  static const char *const texts[] = {"block_images=16", "block_images=16 embed_model=true",
                                      "block_images=16 mode=lossless width=8 height=8",
                                      "block_images=16 mode=lossless preview=true",
                                      "block_images=16 mode=near-lossless max_error=3"};
  return options_of(AE_OPTIONS_COMPRESSION, texts[which]);
}
static const uint8_t *labels_of(int which) { return which == 1 || which == 3 ? labels : NULL; }
/* Kinds of sets: codes; with model and labels; lossless without model; lossless with codes and labels; near-lossless. */
enum { SETS = 5 };

static void prepare(void) {
  draw();
  must(mkdtemp(folder) != NULL, "a folder");
  snprintf(model_path, sizeof model_path, "%s/m.aew", folder);
  snprintf(set_path, sizeof set_path, "%s/s.aez", folder);
  snprintf(bare_path, sizeof bare_path, "%s/b.aez", folder);
  snprintf(out_path, sizeof out_path, "%s/o.aew", folder);
  for (int kind = 0; kind < KINDS; kind++) {
    ae_options *options = trainer_options(kind);
    ae_trainer *trainer;
    ae_model *model;
    OK(ae_trainer_create(NULL, options, &trainer));
    ae_options_free(options);
    OK(ae_trainer_fit(trainer, pixels, COUNT));
    OK(ae_trainer_model(trainer, pixels, COUNT, &model));
    OK(ae_trainer_save(trainer, NULL, 0, &checkpoints[kind].size));
    checkpoints[kind].data = malloc(checkpoints[kind].size);
    OK(ae_trainer_save(trainer, checkpoints[kind].data, checkpoints[kind].size, &checkpoints[kind].size));
    weights[kind][0] = saved(model, AE_STORAGE_FLOAT32);
    weights[kind][1] = saved(model, AE_STORAGE_INT8);
    if (kind == AE_KIND_ELU) {
      for (int set = 0; set < SETS; set++) {
        ae_options *how = compress_options(set);
        sets[set] = packed(set == 2 ? NULL : model, how, labels_of(set));
        ae_options_free(how);
      }
      OK(ae_model_save_file(model, AE_STORAGE_FLOAT32, 0, model_path));
      FILE *file = fopen(set_path, "wb");
      must(file && fwrite(sets[1].data, 1, sets[1].size, file) == sets[1].size && fclose(file) == 0, "a set's file");
      file = fopen(bare_path, "wb");
      must(file && fwrite(sets[0].data, 1, sets[0].size, file) == sets[0].size && fclose(file) == 0, "another");
    }
    ae_model_free(model);
    ae_trainer_free(trainer);
  }
  scan_weights = read_file("Tests/golden/scans-28.aew");
  if (!scan_weights.data) return;
  /* Images that have scans. */
  ae_imageset_information about = {.struct_size = sizeof about};
  ae_model *model = opened(scan_weights);
  ae_imageset *set;
  OK(ae_imageset_open(NULL, "Tests/golden/exact-scans.aez", model, &set));
  OK(ae_imageset_info(set, &about));
  /* Several times, since few images are too few to learn from. */
  const size_t size = (size_t)about.count * (size_t)about.width * (size_t)about.height;
  scans = malloc(12 * size);
  for (size_t i = 0; i < 12; i++) OK(ae_imageset_read(set, 0, about.count, scans + i * size));
  scan_count = 12 * (size_t)about.count;
  ae_imageset_free(set);
  ae_model_free(model);
}

/* ---- Calls ---- */

/* What one try works on: `set_up` fills it, `call` is made under refusals, `result` hashes what came. */
typedef struct work {
  ae_model *model;
  ae_imageset *set;
  ae_trainer *trainer;
  ae_options *options;
  ae_context *context;
  ae_model *made; /* by a call that has a model already */
  void *out;
  size_t size, count;
} work;

static int kind, which;
#define OUT_SIZE ((size_t)1 << 20)

static uint64_t hash_of(const void *data, size_t size) {
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < size; i++) hash = (hash ^ ((const uint8_t *)data)[i]) * 1099511628211u;
  return hash;
}

static ae_status produce_model(work *w, int32_t storage, uint32_t flags) {
  w->size = OUT_SIZE;
  return ae_model_save(w->model, storage, flags, w->out, OUT_SIZE, &w->size);
}

static void with_model(work *w) { w->model = opened(weights[kind][which]); }
static void with_elu(work *w) { w->model = opened(weights[AE_KIND_ELU][0]); }
static void with_nothing(work *w) { w->options = trainer_options(kind); }
static void with_set(work *w) {
  with_elu(w);
  OK(ae_imageset_open_memory(NULL, sets[which].data, sets[which].size, w->model, &w->set));
}
/* A golden set whose images all have codes: those that these little networks make are poor, and kept as pixels. */
static void with_codes(work *w) {
  OK(ae_model_open(NULL, "Tests/golden/walsh-8.aew", &w->model));
  OK(ae_imageset_open(NULL, "Tests/golden/coded.aez", w->model, &w->set));
  ae_imageset_information about = {.struct_size = sizeof about};
  OK(ae_imageset_info(w->set, &about));
  w->count = about.count;
  w->size = about.count * (size_t)about.latent_size * 4;
}
static void with_order(work *w) {
  if (which != 2) w->model = opened(weights[kind][0]);
  w->options = compress_options(which);
}
static void with_scans(work *w) {
  w->model = opened(scan_weights);
  w->options = options_of(AE_OPTIONS_COMPRESSION, "mode=lossless method=scans");
}
/* A predictor, for images in colour. */
static void with_predictor(work *w) {
  OK(ae_model_open(NULL, "Tests/golden/predictor-8.aew", &w->model));
  w->options = options_of(AE_OPTIONS_COMPRESSION, "mode=lossless method=predicted block_images=3 width=4 height=4 channels=4");
}
static void with_predicted(work *w) {
  OK(ae_model_open(NULL, "Tests/golden/predictor-8.aew", &w->model));
  OK(ae_imageset_open(NULL, "Tests/golden/v3-predicted-rgb.aez", w->model, &w->set));
}
static void with_trainer(work *w) {
  w->options = trainer_options(kind);
  OK(ae_trainer_create(NULL, w->options, &w->trainer));
}
static void with_fitted(work *w) { OK(ae_trainer_resume(NULL, checkpoints[kind].data, checkpoints[kind].size, &w->trainer)); }

static ae_status open_memory(work *w) { return ae_model_open_memory(NULL, weights[kind][which].data, weights[kind][which].size, &w->model); }
static ae_status open_file(work *w) { return ae_model_open(NULL, model_path, &w->model); }
static ae_status open_checkpoint(work *w) { return ae_model_open_memory(NULL, checkpoints[kind].data, checkpoints[kind].size, &w->model); }
static ae_status open_scans(work *w) { return ae_model_open_memory(NULL, scan_weights.data, scan_weights.size, &w->model); }
static ae_status info(work *w) {
  ae_model_information about = {.struct_size = sizeof about};
  ae_status status = ae_model_info(w->model, &about);
  memcpy(w->out, &about, w->size = sizeof about);
  return status;
}
static ae_status save(work *w) { return produce_model(w, which ? AE_STORAGE_INT8 : AE_STORAGE_FLOAT32, 0); }
static ae_status save_half(work *w) { return produce_model(w, AE_STORAGE_FLOAT16, 0); }
static ae_status save_decoder(work *w) { return produce_model(w, AE_STORAGE_INT8, AE_SAVE_DECODER_ONLY); }
static ae_status save_size(work *w) { return ae_model_save(w->model, AE_STORAGE_INT8, 0, NULL, 0, &w->size); }
static ae_status export_c(work *w) {
  w->size = OUT_SIZE;
  return ae_model_export_c(w->model, NULL, AE_EXPORT_ENCODER, (char *)w->out, OUT_SIZE, &w->size);
}
static ae_status export_c_file(work *w) { return ae_model_export_c_file(w->model, NULL, 0, out_path); }
static ae_status save_file(work *w) { return ae_model_save_file(w->model, AE_STORAGE_INT8, 0, out_path); }
static ae_status encode(work *w) {
  w->size = COUNT * LATENTS * 4;
  return ae_encode(NULL, w->model, values, COUNT, w->out);
}
static ae_status encode_one(work *w) {
  w->size = LATENTS * 4;
  return ae_encode_u8(NULL, w->model, pixels, 1, w->out);
}
static ae_status encode_u8(work *w) {
  w->size = COUNT * LATENTS * 4;
  return ae_encode_u8(NULL, w->model, pixels, COUNT, w->out);
}
static ae_status decode(work *w) {
  w->size = COUNT * SIZE * 4;
  return ae_decode(NULL, w->model, values, COUNT, w->out);
}
static ae_status decode_u8(work *w) {
  w->size = COUNT * SIZE;
  return ae_decode_u8(NULL, w->model, values, COUNT, w->out);
}
static ae_status posterior(work *w) {
  w->size = 2 * COUNT * LATENTS * 4;
  return vae_encode(NULL, w->model, values, COUNT, w->out, (float *)w->out + COUNT * LATENTS);
}
static ae_status posterior_u8(work *w) {
  w->size = 2 * COUNT * LATENTS * 4;
  return ae_posterior_u8(NULL, w->model, pixels, COUNT, w->out, (float *)w->out + COUNT * LATENTS);
}
static ae_status prior(work *w) {
  w->size = COUNT * LATENTS * 4;
  return ae_prior(NULL, w->model, COUNT, 5, w->out);
}
static ae_status sample(work *w) {
  w->size = COUNT * SIZE * 4;
  return vae_sample(NULL, w->model, COUNT, 5, w->out);
}
static ae_status sample_u8(work *w) {
  w->size = COUNT * SIZE;
  return ae_sample_u8(NULL, w->model, COUNT, 5, w->out);
}
static ae_status bound(work *w) { return ae_compress_bound(NULL, w->model, COUNT, w->options, &w->size); }
static ae_status compress(work *w) {
  return ae_compress(NULL, w->model, pixels, COUNT, labels_of(which), w->options, w->out, OUT_SIZE, &w->size);
}
static ae_status compress_scans(work *w) {
  return ae_compress(NULL, w->model, scans, 2, NULL, w->options, w->out, OUT_SIZE, &w->size);
}
static ae_status compress_predicted(work *w) {
  return ae_compress(NULL, w->model, pixels, 5, NULL, w->options, w->out, OUT_SIZE, &w->size);
}
static ae_status open_predicted(work *w) {
  return ae_imageset_open(NULL, "Tests/golden/v3-predicted-embedded.aez", NULL, &w->set);
}
static ae_status open_predictor(work *w) { return ae_model_open(NULL, "Tests/golden/predictor-scans.aew", &w->model); }
static ae_status read_predicted(work *w) {
  w->size = 9 * 16 * 12 * 3;
  return ae_imageset_read(w->set, 0, 9, w->out);
}
static ae_status set_open(work *w) { return ae_imageset_open_memory(NULL, sets[which].data, sets[which].size, w->model, &w->set); }
static ae_status set_open_file(work *w) { return ae_imageset_open(NULL, set_path, NULL, &w->set); }
static ae_status set_info(work *w) {
  ae_imageset_information about = {.struct_size = sizeof about};
  ae_status status = ae_imageset_info(w->set, &about);
  memcpy(w->out, &about, w->size = sizeof about);
  return status;
}
static ae_status set_read(work *w) {
  w->size = 40 * SIZE;
  return ae_imageset_read(w->set, 5, 40, w->out);
}
static ae_status set_salvage(work *w) {
  size_t lost = 0;
  w->size = 40 * SIZE;
  ae_status status = ae_imageset_salvage(w->set, 5, 40, w->out, (uint8_t *)w->out + w->size, &lost);
  return status == AE_OK && lost > 0 ? AE_ERROR_INTERNAL : status;
}
static ae_status set_latents(work *w) {
  return ae_imageset_latents(w->set, 0, w->count, w->out);
}
static ae_status set_labels(work *w) { return ae_imageset_labels(w->set, 0, w->size = COUNT, w->out); }
static ae_status set_name(work *w) {
  ae_status status = ae_imageset_name(w->set, 0, w->out, OUT_SIZE, &w->size);
  return status == AE_ERROR_KIND ? AE_OK : status;
}
static void *from_nowhere(void *allocator, size_t byte_count, size_t alignment) {
  (void)allocator, (void)byte_count, (void)alignment;
  return NULL;
}
static void to_nowhere(void *allocator, void *memory, size_t byte_count) {
  (void)allocator, (void)memory, (void)byte_count;
}
static ae_status make_context(work *w) {
  (void)w;
  ae_context_options options;
  ae_context *context = NULL;
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.model_path = "a folder with a name that is too long to lie within a string itself:another";
  options.allocate = from_nowhere, options.free = to_nowhere;
  ae_status status = ae_context_create(&options, &context);
  ae_context_free(context);
  return status;
}
static ae_status create(work *w) { return ae_trainer_create(NULL, w->options, &w->trainer); }
static ae_status fit(work *w) { return ae_trainer_fit(w->trainer, pixels, COUNT); }
static ae_status step(work *w) { return ae_trainer_step(w->trainer, values, COUNT, NULL); }
static ae_status taken(work *w) { return ae_trainer_model(w->trainer, NULL, 0, &w->model); }
static ae_status fitted(work *w) { return ae_trainer_model(w->trainer, pixels, COUNT, &w->model); }
static ae_status trainer_save(work *w) { return ae_trainer_save(w->trainer, w->out, OUT_SIZE, &w->size); }
static ae_status trainer_size(work *w) { return ae_trainer_save(w->trainer, NULL, 0, &w->size); }
static ae_status resume(work *w) {
  return ae_trainer_resume(NULL, checkpoints[kind].data, checkpoints[kind].size, &w->trainer);
}
static ae_status posterior_named(work *w) {
  w->size = 2 * COUNT * LATENTS * 4;
  return ae_posterior(NULL, w->model, values, COUNT, w->out, (float *)w->out + COUNT * LATENTS);
}

/* ---- Options ---- */

static ae_status options_whole(work *w) {
  ae_options *options = NULL;
  ae_status status = ae_options_create(AE_OPTIONS_TRAINING, &options);
  if (status == AE_OK) status = ae_options_set(options, "preset", "conv-30");
  if (status == AE_OK) status = ae_options_set(options, "name", "a name that is too long to lie within a string itself");
  if (status == AE_OK) status = ae_options_set(options, "hidden", "4,5,6,7,8");
  if (status == AE_OK) status = ae_options_set_integer(options, "steps", 77);
  if (status == AE_OK) status = ae_options_set_number(options, "noise", 0.5);
  if (status == AE_OK) status = ae_options_get(options, "hidden", w->out, OUT_SIZE, &w->size);
  if (status == AE_OK) status = ae_options_get(options, "name", w->out, OUT_SIZE, &w->size);
  ae_options_free(options);
  return status;
}
static ae_status options_wrong(work *w) {
  (void)w;
  ae_status status = ae_options_set(w->options, "a key that there is none of, and a long one", "1");
  return status == AE_ERROR_ARGUMENT ? AE_OK : status == AE_OK ? AE_ERROR_INTERNAL : status;
}
static ae_status options_told(work *w) {
  ae_option_information option = {.struct_size = sizeof option};
  ae_preset_information preset = {.struct_size = sizeof preset};
  (void)w;
  for (int32_t table = 0; table < 6; table++)
    for (size_t i = 0; i < ae_option_count(table); i++) {
      ae_status status = ae_option_info(table, i, &option);
      if (status != AE_OK) return status;
    }
  return ae_preset_info(ae_preset_count() - 1, &preset);
}

/* ---- Models of arrays and of models ---- */

enum { MOST_TENSORS = 40 };
static ae_status model_made(work *w) {
  ae_tensor tensors[MOST_TENSORS];
  static char description[1000];
  size_t count = 0, size = 0;
  ae_status status = ae_model_description(w->model, description, sizeof description, &size);
  if (status != AE_OK) return status;
  for (;; count++) {
    tensors[count].struct_size = sizeof *tensors;
    status = ae_model_tensor(w->model, count, &tensors[count]);
    if (status == AE_ERROR_ARGUMENT) break;
    if (status != AE_OK) return status;
  }
  return ae_model_create(NULL, description, tensors, count, &w->made);
}
static void with_few_samples(work *w) {
  with_elu(w);
  w->options = options_of(AE_OPTIONS_SHRINKING, "steps=3 density=0.3 samples=100 batch_size=16");
}
static ae_status model_shrunk(work *w) {
  return ae_model_shrink(NULL, w->model, NULL, 0, w->options, NULL, NULL, NULL, &w->made);
}
static ae_status model_quantized(work *w) { return ae_model_quantize(NULL, w->model, pixels, COUNT, NULL, &w->made); }
static void with_few_steps(work *w) {
  w->model = opened(scan_weights);
  w->options = options_of(AE_OPTIONS_LOSSLESS, "hidden=3 steps=2 batch_size=64");
}
static ae_status model_fit_lossless(work *w) {
  return ae_model_fit_lossless(NULL, w->model, scans, scan_count, w->options, NULL, NULL, &w->made);
}
static ae_status quality(work *w) {
  ae_quality_information about = {.struct_size = sizeof about};
  ae_status status = ae_quality_info(NULL, w->model, ae_quality_count(NULL, w->model), &about);
  memcpy(w->out, &about, w->size = sizeof about);
  return status;
}
/* The folder has the model that the sets are of. */
static void with_path(work *w) {
  ae_context_options options = {.struct_size = sizeof options, .model_path = folder};
  w->options = trainer_options(kind);
  OK(ae_context_create(&options, &w->context));
}
static ae_status set_found(work *w) { return ae_imageset_open(w->context, bare_path, NULL, &w->set); }
static void with_models(work *w) {
  ae_context_options options = {.struct_size = sizeof options, .model_path = "models"};
  OK(ae_context_create(&options, &w->context));
}
static ae_status model_default(work *w) { return ae_model_default(w->context, "digits-low", &w->made); }
static ae_status model_missing(work *w) {
  ae_status status = ae_model_default(w->context, "none of a name that is too long for a string", &w->made);
  return status == AE_ERROR_MODEL ? AE_OK : status == AE_OK ? AE_ERROR_INTERNAL : status;
}

/* ---- Writers, from their creation to their end: one that was refused memory is of no more use ---- */

static int32_t take(void *context, const void *some, size_t byte_count) {
  work *w = context;
  if (byte_count > OUT_SIZE - w->size) return 1;
  memcpy((uint8_t *)w->out + w->size, some, byte_count);
  w->size += byte_count;
  return 0;
}
static ae_status added(ae_writer *writer, ae_status status, int has_labels, int has_names) {
  static const char *const names[] = {"0 is a name that is too long to lie within a string itself", "1", "2", "3", "4", "5",
                                      "6", "7"};
  for (int i = 0; i < COUNT && status == AE_OK; i += 8)
    status = ae_writer_add(writer, pixels + i * SIZE, 8, has_labels ? labels + i : NULL, has_names ? names : NULL);
  if (status == AE_OK) status = ae_writer_finish(writer);
  ae_writer_free(writer);
  return status;
}
static ae_status writer_whole(work *w) {
  ae_writer *writer = NULL;
  w->size = 0;
  ae_status status = ae_writer_create(NULL, w->model, w->options, take, w, &writer);
  return added(writer, status, which == 1, 1);
}
static ae_status writer_file(work *w) {
  ae_writer *writer = NULL;
  ae_status status = ae_writer_create_file(NULL, w->model, w->options, out_path, &writer);
  return added(writer, status, 1, 0);
}
static void with_grown(work *w) {
  with_elu(w);
  FILE *file = fopen(out_path, "wb");
  must(file && fwrite(sets[which].data, 1, sets[which].size, file) == sets[which].size && fclose(file) == 0, "a set's file");
}
static ae_status writer_append(work *w) {
  ae_writer *writer = NULL;
  ae_status status = ae_writer_append_file(NULL, out_path, w->model, &writer);
  return added(writer, status, labels_of(which) != NULL, 0);
}
static ae_status writer_like(work *w) {
  ae_writer *writer = NULL;
  w->size = 0;
  ae_status status = ae_writer_create_like(NULL, w->set, take, w, &writer);
  if (status == AE_OK) status = ae_writer_add_set(writer, w->set, 16, 16);
  return added(writer, status, labels_of(which) != NULL, 0);
}
static ae_status concatenate(work *w) {
  const char *const paths[] = {bare_path, bare_path, bare_path};
  (void)w;
  return ae_concatenate_files(NULL, paths, 3, out_path);
}
static ae_status split(work *w) {
  (void)w;
  return ae_split_file(NULL, set_path, 16, 32, out_path);
}
static int32_t give(void *context, uint64_t offset, size_t byte_count, void *to) {
  const bytes *from = context;
  if (offset > from->size || byte_count > from->size - offset) return 1;
  memcpy(to, (const uint8_t *)from->data + offset, byte_count);
  return 0;
}
static ae_status set_open_callback(work *w) {
  return ae_imageset_open_callback(NULL, give, &sets[which], sets[which].size, w->model, &w->set);
}
static void with_callback(work *w) {
  with_elu(w);
  OK(set_open_callback(w));
}

/* ---- Trainers ---- */

static int32_t on_progress(void *context, const ae_training_progress *progress) { return (void)context, (void)progress, 0; }
static void on_log(void *context, const char *message) { (void)context, (void)message; }
static ae_status set_callbacks(work *w) {
  ae_trainer_callbacks callbacks = {sizeof callbacks, 1, on_progress, on_log, NULL, NULL};
  return ae_trainer_set_callbacks(w->trainer, &callbacks);
}
static void with_told(work *w) {
  with_trainer(w);
  OK(set_callbacks(w));
}
static ae_status get_options(work *w) {
  ae_options *options = NULL;
  ae_status status = ae_trainer_get_options(w->trainer, &options);
  if (status == AE_OK) status = ae_options_get(options, "name", w->out, OUT_SIZE, &w->size);
  ae_options_free(options);
  return status;
}
static ae_status create_from(work *w) { return ae_trainer_create_from(NULL, w->model, NULL, &w->trainer); }

static ae_status bad_argument(work *w) {
  (void)w;
  ae_status status = ae_decode(NULL, NULL, values, 1, values);
  return status == AE_ERROR_ARGUMENT ? AE_OK : status == AE_OK ? AE_ERROR_INTERNAL : status;
}
static ae_status lengths(work *w) {
  (void)w;
  ae_build_info();
  return ae_input_size(w->model) == SIZE && ae_latent_size(w->model) == LATENTS && ae_input_size(NULL) == 0
             ? AE_OK
             : AE_ERROR_INTERNAL;
}

enum {
  PER_KIND = 1,
  PER_STORAGE = 2,
  PER_SET = 4,
  VARIATIONAL = 8,
  STEPPED = 16,
  WITH_LABELS = 32,
  TO_FILE = 64, /* writes out_path */
  SCANS = 128,  /* needs a golden file with scans */
  SLOW = 256    /* is tried less often */
};
static const struct scenario {
  const char *name;
  void (*set_up)(work *);
  ae_status (*call)(work *);
  int flags;
} scenarios[] = {
    {"ae_build_info and sizes", with_elu, lengths, 0},
    {"an error of arguments", with_nothing, bad_argument, 0},
    {"ae_model_open_memory", with_nothing, open_memory, PER_KIND | PER_STORAGE},
    {"ae_model_open", with_nothing, open_file, 0},
    {"ae_model_open_memory, checkpoint", with_nothing, open_checkpoint, PER_KIND},
    {"ae_model_open_memory, scans", with_nothing, open_scans, SCANS},
    {"ae_model_info", with_model, info, PER_KIND},
    {"ae_model_save", with_model, save, PER_KIND | PER_STORAGE},
    {"ae_model_save, halves", with_model, save_half, PER_KIND},
    {"ae_model_save, decoder", with_model, save_decoder, PER_KIND | PER_STORAGE},
    {"ae_model_save, size", with_model, save_size, PER_KIND},
    {"ae_model_save_file", with_model, save_file, TO_FILE},
    {"ae_model_export_c", with_model, export_c, PER_KIND},
    {"ae_model_export_c_file", with_model, export_c_file, TO_FILE},
    {"ae_options_...", with_nothing, options_whole, 0},
    {"an error of options", with_nothing, options_wrong, 0},
    {"ae_option_info, ae_preset_info", with_nothing, options_told, 0},
    {"ae_model_description, _tensor, _create", with_model, model_made, PER_KIND},
    {"ae_model_quantize", with_model, model_quantized, PER_KIND},
    {"ae_model_shrink", with_few_samples, model_shrunk, SLOW},
    {"ae_model_fit_lossless", with_few_steps, model_fit_lossless, SCANS | SLOW},
    {"ae_model_default", with_models, model_default, 0},
    {"a model that is not found", with_models, model_missing, 0},
    {"ae_quality_info", with_model, quality, 0},
    {"ae_encode", with_model, encode, PER_KIND | PER_STORAGE},
    {"ae_encode_u8", with_model, encode_u8, PER_KIND | PER_STORAGE},
    {"ae_encode_u8, one image", with_model, encode_one, PER_KIND | PER_STORAGE},
    {"ae_decode", with_model, decode, PER_KIND | PER_STORAGE},
    {"ae_decode_u8", with_model, decode_u8, PER_KIND | PER_STORAGE},
    {"ae_posterior", with_model, posterior_named, PER_KIND | VARIATIONAL},
    {"vae_encode", with_model, posterior, PER_KIND | PER_STORAGE | VARIATIONAL},
    {"ae_posterior_u8", with_model, posterior_u8, PER_KIND | PER_STORAGE | VARIATIONAL},
    {"ae_prior", with_model, prior, PER_KIND | PER_STORAGE | VARIATIONAL},
    {"vae_sample", with_model, sample, PER_KIND | PER_STORAGE | VARIATIONAL},
    {"ae_sample_u8", with_model, sample_u8, PER_KIND | PER_STORAGE | VARIATIONAL},
    {"ae_compress_bound", with_order, bound, PER_SET},
    {"ae_compress", with_order, compress, PER_KIND | PER_SET},
    {"ae_compress, scans", with_scans, compress_scans, SCANS},
    {"ae_model_open, a predictor", with_nothing, open_predictor, 0},
    {"ae_compress, predicted colour", with_predictor, compress_predicted, SLOW},
    {"ae_imageset_read, predicted colour", with_predicted, read_predicted, SLOW},
    {"ae_imageset_open, an embedded predictor", with_nothing, open_predicted, 0},
    {"ae_imageset_open_memory", with_elu, set_open, PER_SET},
    {"ae_imageset_open", with_nothing, set_open_file, 0},
    {"ae_imageset_open, a model that is looked for", with_path, set_found, 0},
    {"ae_imageset_open_callback", with_elu, set_open_callback, PER_SET},
    {"ae_imageset_read, by a callback", with_callback, set_read, PER_SET},
    {"ae_writer_create, _add, _finish", with_order, writer_whole, PER_SET},
    {"ae_writer_create_file", with_order, writer_file, PER_SET | TO_FILE},
    {"ae_writer_append_file", with_grown, writer_append, PER_SET | TO_FILE},
    {"ae_writer_create_like, _add_set", with_set, writer_like, PER_SET},
    {"ae_concatenate_files", with_nothing, concatenate, TO_FILE},
    {"ae_split_file", with_nothing, split, TO_FILE},
    {"ae_imageset_info", with_set, set_info, PER_SET},
    {"ae_imageset_read", with_set, set_read, PER_SET},
    {"ae_imageset_salvage", with_set, set_salvage, PER_SET},
    {"ae_imageset_latents", with_codes, set_latents, 0},
    {"ae_imageset_labels", with_set, set_labels, WITH_LABELS},
    {"ae_imageset_name", with_set, set_name, 0},
    {"ae_context_create", with_nothing, make_context, 0},
    {"ae_trainer_create", with_nothing, create, PER_KIND},
    {"ae_trainer_create_from", with_model, create_from, PER_KIND | STEPPED},
    {"ae_trainer_set_callbacks", with_trainer, set_callbacks, 0},
    {"ae_trainer_get_options", with_trainer, get_options, 0},
    {"ae_trainer_fit", with_trainer, fit, PER_KIND},
    {"ae_trainer_fit, told", with_told, fit, PER_KIND},
    {"ae_trainer_step", with_trainer, step, PER_KIND | STEPPED},
    {"ae_trainer_model", with_fitted, taken, PER_KIND},
    {"ae_trainer_model, with codec", with_fitted, fitted, PER_KIND},
    {"ae_trainer_save", with_fitted, trainer_save, PER_KIND},
    {"ae_trainer_save, size", with_fitted, trainer_size, PER_KIND},
    {"ae_trainer_resume", with_nothing, resume, PER_KIND},
};

static void tear_down(work *w) {
  ae_imageset_free(w->set);
  ae_model_free(w->model);
  ae_trainer_free(w->trainer);
  ae_model_free(w->made);
  ae_options_free(w->options);
  ae_context_free(w->context);
  memset(w, 0, sizeof *w);
}

/* Everything that can be seen of a call that succeeded. */
static uint64_t result(const struct scenario *s, work *w) {
  uint64_t hash = hash_of(w->out, w->size < OUT_SIZE && s->set_up != with_nothing ? w->size : 0);
  size_t size = 0;
  if (s->flags & TO_FILE) {
    bytes file = read_file(out_path);
    hash ^= hash_of(file.data, file.size);
    free(file.data);
  }
  if (w->made) {
    ae_status status = ae_model_save(w->made, AE_STORAGE_FLOAT32, 0, w->out, OUT_SIZE, &size);
    hash ^= status == AE_OK ? hash_of(w->out, size) : (uint64_t)status;
  }
  if (w->trainer && s->call != trainer_size) {
    ae_status status = ae_trainer_save(w->trainer, w->out, OUT_SIZE, &size);
    hash ^= status == AE_OK ? hash_of(w->out, size) : (uint64_t)status;
  }
  if (w->model && (s->call == fitted || s->call == taken || s->set_up == with_nothing)) {
    ae_status status = ae_model_save(w->model, which ? AE_STORAGE_INT8 : AE_STORAGE_FLOAT32, 0, w->out, OUT_SIZE, &size);
    hash ^= status == AE_OK ? hash_of(w->out, size) : (uint64_t)status;
  }
  return hash;
}

static void *out;

typedef struct call_in_thread {
  const struct scenario *s;
  work *w;
  ae_status status;
  char error[1100];
} call_in_thread;

static void *call(void *context) {
  call_in_thread *c = context;
  atomic_store(&counting, 1);
  c->status = c->s->call(c->w);
  atomic_store(&counting, 0);
  snprintf(c->error, sizeof c->error, "%s", ae_last_error());
  return NULL;
}

static char said[1100]; /* of the last call under refusals that failed */

/* Makes the call with the failing-th allocation refused, or all from it on; -1 refuses none. Returns its status. */
static ae_status attempt(const struct scenario *s, long which_fails, int all, uint64_t *hash, long *made) {
  work w;
  memset(&w, 0, sizeof w);
  w.out = out;
  s->set_up(&w);
  memset(out, 0, OUT_SIZE);
  atomic_store(&allocations, 0);
  atomic_store(&failing, which_fails);
  atomic_store(&rest_fails, all);
  call_in_thread c = {s, &w, AE_OK, ""};
  if (all) {
    /* A thread's first call, and nothing that was kept. */
    ae_release_memory();
    pthread_t thread;
    must(pthread_create(&thread, NULL, call, &c) == 0 && pthread_join(thread, NULL) == 0, "a thread");
  } else {
    call(&c);
  }
  ae_status status = c.status;
  *made = atomic_load(&allocations);
  if (status != AE_OK) {
    memcpy(said, c.error, sizeof said);
    if (status == AE_ERROR_MEMORY && c.error[0] == 0) fault("AE_ERROR_MEMORY without a word");
    if (w.made || (s->set_up == with_nothing && (w.model || w.set || w.trainer))) fault("an error with a handle");
    memset(out, 0, OUT_SIZE);
    ae_status again = s->call(&w);
    if (again != AE_OK) fault("allocation %ld: %s (%s) when tried again", which_fails, ae_status_string(again), ae_last_error());
  }
  if (hash) *hash = result(s, &w);
  tear_down(&w);
  return status;
}

/* Refuses each allocation of a call, from shared->mode and shared->next on. */
static void try_all(const struct scenario *s, long most) {
  uint64_t expected, hash;
  long total = 0, made;
  /* The first runs make what is made once, among them the words of this thread's last error. */
  ae_model_info(NULL, NULL);
  for (int i = 2; i >= 0; i--) {
    ae_status status = attempt(s, -1, i == 1, &expected, &total);
    if (status != AE_OK) {
      fault("without refusals: %s (%s)", ae_status_string(status), ae_last_error());
      return;
    }
  }
  shared->total = total;
  shared->objects_most = atomic_load(&objects_most);
  long step = most > 0 && total > most ? (total + most - 1) / most : 1;
  for (; shared->mode < 2; shared->mode++, shared->next = 0) {
    ae_release_memory();
    long before = atomic_load(&live);
    while (shared->next < total) {
      long index = shared->next;
      shared->next += step;
      atomic_store(&failed_count, 0);
      shared->tries++;
      ae_status status = attempt(s, index, shared->mode, &hash, &made);
      shared->refusals += atomic_load(&failed_count);
      if (status == AE_ERROR_MEMORY)
        shared->in_memory++;
      else if (status == AE_OK)
        shared->in_ok++;
      else
        fault("allocation %ld: %s (%s)", index, ae_status_string(status), said);
      if (hash != expected) fault("%s: allocation %ld%s: %s, then another result", kind_names[kind], index, shared->mode ? " and all after it" : "", ae_status_string(status));
    }
    ae_release_memory();
    long lost = atomic_load(&live) - before;
    /* Threads that work for others stay, with some allocations each; what is lost is lost at each try. */
    if (lost > 4 * (ae_threads() - 1)) fault("%ld allocations were not freed%s", lost, shared->mode ? " (all fail)" : "");
  }
}

int main(int argc, char **argv) {
  long most = argc > 1 ? atol(argv[1]) : 40;
  const char *filter = argc > 2 ? argv[2] : "";
  long tries = 0, refusals = 0, traps = 0, failed = 0, passed = 0;
  out = malloc(OUT_SIZE);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  must(shared != MAP_FAILED && out, "memory");
  prepare();
  for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
    const struct scenario *s = &scenarios[i];
    if (!strstr(s->name, filter)) continue;
    if (s->flags & SCANS && !scan_weights.data) {
      printf("skipped  %s: Tests/golden/scans-28.aew is not there\n", s->name);
      continue;
    }
    long most_objects = 0, call_tries = 0, call_traps = 0, call_faults = 0, least = 0, largest = 0;
    int kinds = s->flags & PER_KIND ? KINDS : 1, variants = s->flags & PER_STORAGE ? 2 : s->flags & PER_SET ? SETS : 1;
    for (int k = 0; k < kinds; k++)
      for (which = 0; which < variants; which++) {
        kind = kinds == 1 ? AE_KIND_ELU : k;
        if (s->flags & WITH_LABELS) which = 3;
        if (s->flags & VARIATIONAL && kind < AE_KIND_VAE) continue;
        if (s->flags & STEPPED && kind == AE_KIND_PCA) continue;
        memset(shared, 0, sizeof *shared);
        for (int dead = 1; dead && call_traps < 2000;) {
          fflush(stdout);
          pid_t child = fork();
          if (child == 0) {
            try_all(s, s->flags & SLOW && most > 0 ? (most + 3) / 4 : most);
            fflush(stdout);
            _exit(0);
          }
          int status = 0;
          waitpid(child, &status, 0);
          dead = !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
          if (WIFEXITED(status) && WEXITSTATUS(status) == 3) exit(3);
          if (dead && call_traps++ < 3)
            printf("  %s: a trap (status %x) near allocation %ld, mode %d\n", kind_names[kind], status, shared->next - 1, shared->mode);
        }
        call_tries += shared->tries;
        refusals += shared->refusals;
        call_faults += shared->faults;
        if (shared->objects_most > most_objects) most_objects = shared->objects_most;
        if (!least || shared->total < least) least = shared->total;
        if (shared->total > largest) largest = shared->total;
      }
    int good = call_traps == 0 && call_faults == 0;
    good ? passed++ : failed++;
    printf("%s %s: %ld refused in turn of %ld to %ld in a call, objects of at most %ld bytes at once, %ld traps, %ld faults\n", good ? "ok      " : "NOT OK  ",
           s->name, call_tries, least, largest, most_objects, call_traps, call_faults);
    tries += call_tries;
    traps += call_traps;
  }
  unlink(model_path), unlink(set_path), unlink(bare_path), unlink(out_path), rmdir(folder);
  printf("%ld calls with refused memory, %ld allocations refused, %ld traps\n", tries, refusals, traps);
  printf("memory: %ld passed, %ld failed, 0 skipped\n", passed, failed);
  return failed != 0;
}
