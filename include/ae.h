/*
 * ae.h - learned compression for sets of small images.
 *
 * libae trains autoencoders, encodes images to latent codes and back, and packs image sets into
 * small files. This header is the whole of its C interface, and its manual: version, errors,
 * models, encoding and decoding, image sets, training, in that order. Synopsis:
 *
 *   ae_model *model;
 *   if (ae_model_open("mnist.aew", &model) != AE_OK) { puts(ae_last_error()); return 1; }
 *   float *latents = malloc(count * ae_latent_size(model) * sizeof(float));
 *   ae_encode_u8(model, pixels, count, latents);
 *   ae_decode_u8(model, latents, count, pixels);
 *   ae_model_free(model);
 *
 * Conventions
 *
 * - Every call that can fail returns an ae_status; results go through out-pointers. After an error
 *   the contents of output arrays are undefined, out-pointers to handles are set to NULL, and
 *   ae_last_error() says what was expected and what came.
 * - An image is ae_input_size(model) values, row-major (top row first, left pixel first): float in
 *   [0, 1], or uint8_t in [0, 255], where 255 stands for 1. A set of images is one array, image
 *   after image. A latent code is ae_latent_size(model) floats. Counts are of images, not of bytes.
 * - A count of 0 is allowed wherever a count is, and then array pointers may be NULL.
 * - Input and output arrays belong to the caller; what a call writes (arrays, structs, sizes) must not
 *   overlap with anything else that it is given: AE_ERROR_ARGUMENT if it does. Handles belong to the
 *   caller, too, and are freed with the call named for them; freeing NULL does nothing.
 * - Calls that produce bytes take (out, capacity, size): with out NULL they store in *size a
 *   capacity that is always enough, which costs next to nothing and may be more than what comes;
 *   otherwise they fill out and store the bytes used. If capacity
 *   is too small they return AE_ERROR_BUFFER and *size is a capacity that is enough.
 * - Structs begin with struct_size, their size in bytes as the caller knows it, so that they can
 *   grow at their ends without breaking programs built earlier. The *_init calls set it, and every
 *   default. Every size is taken from that of version 0.2.0 on: a field that the caller does not know
 *   has its default, and one that the library does not know must be zero (AE_ERROR_VERSION if not).
 * - Nothing is printed, ever, and no input ends the process, nor does the lack of memory. The only
 *   global state is the number of threads, sleeping ones of which are kept, the memory that is kept
 *   between calls (see Memory), and, in each thread, its last error.
 * - A call takes at most 192 KiB of the calling thread's stack, most of it in products with AVX-512.
 * - Each call works in the default floating-point environment (to nearest, denormals kept, no traps)
 *   and puts the caller's back, flags included. Callbacks run in the default one.
 * - Threads: a model and an image set are immutable once opened; any number of threads may use
 *   one at the same time. A trainer is used by one thread at a time. A handle that was freed, or is
 *   of another kind, is AE_ERROR_ARGUMENT, and freeing it again does nothing; but freeing one while
 *   another thread's call uses it is an error that cannot be detected.
 */
#ifndef AE_H
#define AE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------
 * Version
 */

#define AE_VERSION_MAJOR 0
#define AE_VERSION_MINOR 2
#define AE_VERSION_PATCH 0
/** AE_VERSION_NUMBER is the version of this header, as ae_version() gives that of the library. */
#define AE_VERSION_NUMBER (AE_VERSION_MAJOR * 1000000 + AE_VERSION_MINOR * 1000 + AE_VERSION_PATCH)

/**
 * AE_ABI_VERSION is the number in the shared library's soname, libae.so.1. As long as it stays, programs that were
 * compiled with an earlier header run with a later library: functions are added and none is changed or
 * removed, structs grow at their ends, and values of enumerations keep their meaning. It has been 1 since 0.2.0.
 */
#define AE_ABI_VERSION 1

/** ae_version() returns the version of the loaded library, major * 1000000 + minor * 1000 + patch. */
uint32_t ae_version(void);

/**
 * ae_abi_version() returns the AE_ABI_VERSION of the loaded library: for those who load it by path, where no linker
 * compares sonames.
 */
uint32_t ae_abi_version(void);

/**
 * ae_build_info() returns a line of text that says how the library was built and runs: version,
 * kernel path in use (generic, avx2, avx512, neon, dotprod), versions of the file formats, build mode.
 * The string lives as long as the library.
 */
const char *ae_build_info(void);

/* ------------------------------------------------------------------------------------------------
 * Errors
 */

/** ae_status is what calls return. Values are pinned: none is ever reused for another meaning. */
typedef int32_t ae_status;

enum {
  AE_OK = 0,
  AE_ERROR_ARGUMENT = 1,  /* NULL, a count or size out of range, a value that is not finite */
  AE_ERROR_MEMORY = 2,    /* the allocator returned NULL, or the size does not fit: see Memory below */
  AE_ERROR_IO = 3,        /* a file cannot be opened, read, written or renamed */
  AE_ERROR_FORMAT = 4,    /* not a file of this kind, or damaged in its structure */
  AE_ERROR_CHECKSUM = 5,  /* a section or block whose checksum does not match */
  AE_ERROR_VERSION = 6,   /* a file of a later version, or a struct_size that is too small */
  AE_ERROR_KIND = 7,      /* the model cannot do that: no encoder, not variational, no codec */
  AE_ERROR_SHAPE = 8,     /* image or latent size differs from the model's */
  AE_ERROR_MODEL = 9,     /* the image set was made with another model, or none was given */
  AE_ERROR_BUFFER = 10,   /* capacity too small */
  AE_ERROR_STOPPED = 11,  /* a callback asked to stop */
  AE_ERROR_DIVERGED = 12, /* numbers overflow: a loss, or what a model gives, is not finite */
  AE_ERROR_INTERNAL = 13  /* a bug in libae: please report it */
};

/** ae_status_string(status) returns the status's name, such as "AE_ERROR_FORMAT"; never NULL. */
const char *ae_status_string(ae_status status);

/**
 * ae_last_error() returns what was wrong with the last failed call on this thread: which argument,
 * tensor or byte offset, what was expected and what came. UTF-8, without a newline, "" if no call
 * failed. Valid until the next failing call on this thread.
 */
const char *ae_last_error(void);

/**
 * ae_last_errno() returns the errno of the system call behind the last failed call on this thread, such as
 * ENOENT for a file that is not there, or 0 if the fault was no system call's.
 */
int32_t ae_last_errno(void);

/* ------------------------------------------------------------------------------------------------
 * Threads
 */

/**
 * ae_set_threads(threads) sets how many threads, in [1, 256], a call may use, for the whole process;
 * 0 means the machine's processors, which is the default unless the environment's AE_THREADS says
 * otherwise. With 1 the library starts no thread. Results do not depend on the number.
 */
ae_status ae_set_threads(int32_t threads);

/** ae_threads() returns how many threads a call may use. */
int32_t ae_threads(void);

/* ------------------------------------------------------------------------------------------------
 * Memory
 *
 * All that a call may need can be refused: it then returns AE_ERROR_MEMORY, frees what it took, and works
 * when it is called again with memory at hand. To that end each call begins with a reserve of 1 MiB, most of it
 * never touched; there are as many as calls have run at the same time (1024 at most), and they are kept. So is
 * memory that products work in, at most 64 MiB in all, and 1 KiB in each thread that met an error.
 */

/** ae_release_memory() gives what is kept between calls, but for last errors, back. Calls may be under way. */
void ae_release_memory(void);

/* ------------------------------------------------------------------------------------------------
 * Contexts
 *
 * A context says how many threads a call may use and whose memory it takes. A call that is given one runs on at most
 * its threads, and takes from its allocator all that grows with its input: arrays, weights, what products work in.
 * What outlives the call, as a model does, goes back to that same allocator when it is freed, on whichever thread and
 * also when the ae_context has been freed before; so the allocator must live for as long as that. malloc still gives
 * the reserves of calls (see Memory), and some objects of a few hundred bytes, at most 1 MiB in a call and 64 KiB in
 * all that stays of it, 48 KiB for each zlib stream that is read, and the context itself. NULL for a context stands
 * for the process's number of threads and malloc. Results do not depend on contexts.
 *
 * Any number of threads may use one context, or different ones, at the same time.
 */

/** ae_context is threads and an allocator, immutable. */
typedef struct ae_context ae_context;

/**
 * ae_allocate_callback(allocator, byte_count, alignment) returns byte_count bytes, a multiple of 64, on a multiple of
 * alignment, which is 64; they need not be zero. NULL refuses them, as memory off its alignment does, which is given
 * back: the call then returns AE_ERROR_MEMORY. It and ae_free_callback may be called by any of the threads that work
 * for a call, several at the same time, in the default floating-point environment. They must return, and must not call
 * the library.
 */
typedef void *(*ae_allocate_callback)(void *allocator, size_t byte_count, size_t alignment);

/** ae_free_callback(allocator, memory, byte_count) takes back what ae_allocate_callback gave for the same byte_count. */
typedef void (*ae_free_callback)(void *allocator, void *memory, size_t byte_count);

/** ae_context_options says what a context is to be. */
typedef struct ae_context_options {
  size_t struct_size;            /* set by ae_context_options_init */
  int32_t threads;               /* 0 (default): as ae_set_threads says; else 1 to 256 */
  ae_allocate_callback allocate; /* NULL (default) for malloc; both or neither */
  ae_free_callback free;
  void *allocator;               /* handed to both */
  const char *model_path;        /* folders of model files, separated by ':'; NULL: none beside the usual ones */
} ae_context_options;

/** ae_context_options_init(options, struct_size) sets every default; see ae_compress_options_init. */
ae_status ae_context_options_init(ae_context_options *options, size_t struct_size);

/** ae_context_create(options, context) stores a new context in *context. `options` may be NULL, and go after that. */
ae_status ae_context_create(const ae_context_options *options, ae_context **context);

/** ae_context_free(context) frees a context. What was made in calls with it lives on. */
void ae_context_free(ae_context *context);

/* ------------------------------------------------------------------------------------------------
 * Models
 */

/** ae_model is a trained network, immutable. */
typedef struct ae_model ae_model;

/** Kinds of network. Values are pinned; files hold them. */
enum {
  AE_KIND_PCA = 0,
  AE_KIND_LINEAR = 1,
  AE_KIND_SIGMOID = 2,
  AE_KIND_RELU = 3,
  AE_KIND_ELU = 4,
  AE_KIND_VAE = 5,
  AE_KIND_CONV_VAE = 6
};

/** How a model's numbers are stored. Values are pinned; files hold them. */
enum {
  AE_STORAGE_FLOAT32 = 0,
  AE_STORAGE_FLOAT16 = 1,
  AE_STORAGE_INT8 = 2 /* integers with a scale per output channel; runs in integer arithmetic */
};

/** ae_model_open(path, model) reads a weight file (.aew) and stores a new model in *model. */
ae_status ae_model_open(const char *path, ae_model **model);

/**
 * ae_model_open_memory(data, byte_count, model) is ae_model_open for a weight file in memory. The
 * bytes are copied as needed and may be freed after the call.
 */
ae_status ae_model_open_memory(const void *data, size_t byte_count, ae_model **model);

/** ae_model_free(model) frees a model. Image sets opened with it keep what they need. */
void ae_model_free(ae_model *model);

/** ae_model_information is what ae_model_info tells. */
typedef struct ae_model_information {
  size_t struct_size;      /* in: sizeof(ae_model_information) */
  int32_t kind;            /* AE_KIND_... */
  int32_t storage;         /* AE_STORAGE_... */
  int32_t width;           /* pixels */
  int32_t height;          /* pixels */
  int32_t channels;        /* 1 */
  int32_t latent_size;     /* numbers in a code */
  int32_t has_encoder;     /* 1 if ae_encode works, 0 for a decoder alone */
  int32_t is_variational;  /* 1 if vae_encode and vae_sample work */
  int32_t has_codec;       /* 1 if ae_compress and image sets work */
  int32_t quality_count;   /* qualities ae_compress_options offers: 1 to quality_count; 0 without codec */
  uint64_t parameter_count; /* weights and biases */
  char hash[65];           /* the hash that image sets name the model by: 64 hex digits, "" without codec */
  char name[65];           /* the model's name, UTF-8 */
} ae_model_information;

/** ae_model_info(model, information) fills *information, whose struct_size the caller has set. */
ae_status ae_model_info(const ae_model *model, ae_model_information *information);

/** ae_input_size(model) returns the pixels of an image, width * height * channels; 0 for NULL. */
size_t ae_input_size(const ae_model *model);

/** ae_latent_size(model) returns the numbers in a latent code; 0 for NULL. */
size_t ae_latent_size(const ae_model *model);

/** Flags for ae_model_save. */
enum { AE_SAVE_DECODER_ONLY = 1 };

/**
 * ae_model_save(model, storage, flags, out, capacity, size) writes the model as a weight file into
 * out, with its numbers stored as `storage` says. A model opened from int8 storage can only be
 * saved as that (AE_ERROR_KIND otherwise).
 */
ae_status ae_model_save(const ae_model *model, int32_t storage, uint32_t flags, void *out, size_t capacity,
                        size_t *size);

/**
 * ae_model_save_file(model, storage, flags, path) writes the same bytes to a file: beside it first,
 * synced, then renamed over it, so that a killed process leaves the old file or the new one. A file that
 * is replaced passes its permissions on; of a symbolic link, what it points at is replaced; a device or a
 * pipe is written to as it is.
 */
ae_status ae_model_save_file(const ae_model *model, int32_t storage, uint32_t flags, const char *path);

/* ------------------------------------------------------------------------------------------------
 * Encoding, decoding, sampling
 *
 * Float results agree between machines and kernel paths to within rounding, not bit for bit. For
 * that, use image sets, or a model of int8 storage, whose integer arithmetic is exact everywhere.
 *
 * What comes out is finite: a model whose weights, or an input whose values are so large that an output
 * is not, before it is clamped or rounded, gives AE_ERROR_DIVERGED.
 */

/**
 * ae_encode(model, images, count, latents) encodes `count` images.
 *   images:  count * ae_input_size floats in [0, 1]; a value that is not finite is AE_ERROR_ARGUMENT.
 *   latents: count * ae_latent_size floats, written. A variational model gives the mean.
 * AE_ERROR_KIND if the model is a decoder alone.
 */
ae_status ae_encode(const ae_model *model, const float *images, size_t count, float *latents);

/** ae_encode_u8(model, images, count, latents) is ae_encode for bytes. */
ae_status ae_encode_u8(const ae_model *model, const uint8_t *images, size_t count, float *latents);

/**
 * ae_decode(model, latents, count, images) decodes `count` latent codes.
 *   latents: count * ae_latent_size finite floats.
 *   images:  count * ae_input_size floats, written, clamped to [0, 1].
 */
ae_status ae_decode(const ae_model *model, const float *latents, size_t count, float *images);

/** ae_decode_u8(model, latents, count, images) is ae_decode for bytes, rounded to nearest. */
ae_status ae_decode_u8(const ae_model *model, const float *latents, size_t count, uint8_t *images);

/**
 * vae_encode(model, images, count, mean, log_variance) gives the Gaussian posterior of each image.
 *   images:             as in ae_encode.
 *   mean, log_variance: count * ae_latent_size floats each, written; the latter is ln(variance).
 * AE_ERROR_KIND if the model is not variational or is a decoder alone.
 */
ae_status vae_encode(const ae_model *model, const float *images, size_t count, float *mean,
                     float *log_variance);

/** vae_encode_u8(model, images, count, mean, log_variance) is vae_encode for bytes. */
ae_status vae_encode_u8(const ae_model *model, const uint8_t *images, size_t count, float *mean,
                        float *log_variance);

/**
 * vae_prior(model, count, seed, latents) draws latent codes from the prior, a unit Gaussian in each
 * latent. The same seed gives the same codes, bit for bit, on every machine, and a longer draw
 * begins with a shorter one.
 *   latents: count * ae_latent_size floats, written.
 */
ae_status vae_prior(const ae_model *model, size_t count, uint64_t seed, float *latents);

/**
 * vae_sample(model, count, seed, images) draws codes as vae_prior does and decodes them: the images
 * are the decoder's means.
 *   images: count * ae_input_size floats in [0, 1], written.
 * AE_ERROR_KIND if the model is not variational.
 */
ae_status vae_sample(const ae_model *model, size_t count, uint64_t seed, float *images);

/** vae_sample_u8(model, count, seed, images) is vae_sample for bytes. */
ae_status vae_sample_u8(const ae_model *model, size_t count, uint64_t seed, uint8_t *images);

/* ------------------------------------------------------------------------------------------------
 * Image sets
 *
 * An image set (.aez) holds many images of one size as latent codes: a few bytes each. It decodes to
 * the same pixels on every machine. Any image can be read without decoding those in other blocks. An
 * image that the model says too little of, such as a photograph among digits, is kept as its pixels.
 *
 * An exact set gives every pixel back, a near-exact one every pixel to within max_error. They take images
 * of any size up to 64 x 64, and need no model; one that was trained for it makes those of handwritten digits much smaller.
 * Blocks that deflate does better on are deflated, so that no set is larger than its pixels and its headers.
 */

/** What an image set keeps of its images. Values are pinned; files hold them. */
enum {
  AE_LAYER_LATENT = 0,    /* codes: pictures close to the images */
  AE_LAYER_EXACT = 1,     /* every pixel */
  AE_LAYER_NEAR_EXACT = 2 /* every pixel to within a largest error */
};

/** ae_imageset is an open image set, immutable. */
typedef struct ae_imageset ae_imageset;

/**
 * ae_count_callback(context, done, count) is called on the thread that called, some ten times a second while a long
 * call is at work: `done` of `count` images are done. Return 0 to go on; anything else stops the work within a few
 * images: the call returns AE_ERROR_STOPPED and what it was to write is as it was before.
 */
typedef int32_t (*ae_count_callback)(void *context, uint64_t done, uint64_t count);

/** ae_compress_options says how to compress. */
typedef struct ae_compress_options {
  size_t struct_size;     /* set by ae_compress_options_init */
  int32_t quality;        /* 1 (smallest) to the model's quality_count (best); 0: the model's default */
  int32_t embed_model;    /* 1: the decoder goes into the set, which then needs no other file */
  int32_t block_images;   /* images in a block, 1 to 65536; 0: 500; of exact and near-exact sets no more
                             than make 2^24 pixels: one image costs the decoding of all before it */
  const uint8_t *labels;  /* one byte an image, or NULL */
  int32_t layer;          /* AE_LAYER_...; default AE_LAYER_LATENT */
  int32_t max_error;      /* the most a pixel may be off, 1 to 32, for AE_LAYER_NEAR_EXACT; else 0 */
  int32_t effort;         /* 1: contexts that adapt, fast, no model; 2: scans foretold by the model, smallest;
                             0: the strongest there is; not for AE_LAYER_LATENT */
  int32_t preview;        /* 1: an exact or near-exact set holds the images' codes, too */
  int32_t width, height;  /* pixels, for exact and near-exact sets of images that are not of the model's
                             size, or without model; 0: the model's */
  ae_count_callback progress; /* may be NULL */
  void *context;          /* handed to the callback */
} ae_compress_options;

/**
 * ae_compress_options_init(options, struct_size) sets every default; struct_size is
 * sizeof(ae_compress_options) where the caller was compiled.
 */
ae_status ae_compress_options_init(ae_compress_options *options, size_t struct_size);

/**
 * ae_compress_bound(model, count, options, size) stores in *size a capacity that is enough for ae_compress
 * with any `count` images and the same model and options.
 */
ae_status ae_compress_bound(const ae_model *model, size_t count, const ae_compress_options *options,
                            size_t *size);

/**
 * ae_compress(model, images, count, options, out, capacity, size) packs `count` images into a set.
 *   model:   NULL is allowed for exact and near-exact sets with width and height in the options.
 *   images:  count * ae_input_size bytes, or count * width * height if the options say so.
 *   options: NULL for the defaults.
 * The same images, model and options give the same bytes on every machine, with any number of threads, from
 * libraries of one version; `aez compress` searches codes, which this does not, and writes others. AE_ERROR_KIND if
 * the model has no encoder or no codec.
 */
ae_status ae_compress(const ae_model *model, const uint8_t *images, size_t count,
                      const ae_compress_options *options, void *out, size_t capacity, size_t *size);

/** ae_compress_file(model, images, count, options, path) writes the same bytes to a file, as
 *  ae_model_save_file does. */
ae_status ae_compress_file(const ae_model *model, const uint8_t *images, size_t count,
                           const ae_compress_options *options, const char *path);

/**
 * ae_imageset_open(path, model, set) opens an image set. `model` is the model it was made with, or
 * NULL if the set has its own embedded or needs none. AE_ERROR_MODEL names the model that is needed if it
 * is neither. The model may be freed while the set is open.
 */
ae_status ae_imageset_open(const char *path, const ae_model *model, ae_imageset **set);

/** ae_imageset_open_memory(data, byte_count, model, set) is ae_imageset_open for bytes in memory. */
ae_status ae_imageset_open_memory(const void *data, size_t byte_count, const ae_model *model,
                                  ae_imageset **set);

/** ae_imageset_free(set) frees an image set. */
void ae_imageset_free(ae_imageset *set);

/** ae_imageset_information is what ae_imageset_info tells. */
typedef struct ae_imageset_information {
  size_t struct_size;     /* in: sizeof(ae_imageset_information) */
  uint64_t count;         /* images */
  int32_t width;          /* pixels */
  int32_t height;         /* pixels */
  int32_t channels;       /* 1 */
  int32_t latent_size;    /* numbers in a code; 0 if the set names no model */
  int32_t quality;        /* as compressed; 0 without codes */
  int32_t block_images;   /* images in a block; the last block may have fewer */
  int32_t has_labels;     /* 1 if there is a label for each image */
  int32_t has_names;      /* 1 if there is a file name for each image */
  int32_t has_model;      /* 1 if the decoder is embedded */
  uint64_t byte_count;    /* the whole set, all headers counted */
  char model_hash[65];    /* of the model it was made with; 64 zeros if it names none */
  char model_name[65];
  int32_t layer;          /* AE_LAYER_... */
  int32_t max_error;      /* the most a pixel may be off in a near-exact set; else 0 */
  int32_t effort;         /* how exact blocks are coded: 1 by contexts, 2 by scans; 0 for codes */
  int32_t needs_model;    /* 0 if every block can be read without a model */
  uint64_t kept_count;    /* of an AE_LAYER_LATENT set: images that are kept as pixels, since the model does
                             badly on them */
} ae_imageset_information;

/** ae_imageset_info(set, information) fills *information, whose struct_size the caller has set. */
ae_status ae_imageset_info(const ae_imageset *set, ae_imageset_information *information);

/**
 * ae_imageset_read(set, first, count, images) decodes images first ... first + count - 1.
 *   images: count * width * height * channels bytes, written.
 * AE_ERROR_CHECKSUM if a block that holds one of them is damaged; the message names the images lost.
 */
ae_status ae_imageset_read(const ae_imageset *set, uint64_t first, size_t count, uint8_t *images);

/**
 * ae_imageset_salvage(set, first, count, images, lost, lost_count) decodes what can be decoded of images
 * first ... first + count - 1 and tells which are lost; that some are is no error.
 *   images:     as in ae_imageset_read; an image that is lost is black. NULL only checks.
 *   lost:       count bytes, written: 1 for an image that is lost, 0 for one that is whole; may be NULL.
 *   lost_count: how many are lost; may be NULL.
 */
ae_status ae_imageset_salvage(const ae_imageset *set, uint64_t first, size_t count, uint8_t *images,
                              uint8_t *lost, size_t *lost_count);

/**
 * ae_imageset_latents(set, first, count, latents) gives the codes without decoding pixels.
 *   latents: count * latent_size floats, written; what ae_decode takes.
 * AE_ERROR_KIND, naming them, if some of the images are kept as pixels: those have no code.
 */
ae_status ae_imageset_latents(const ae_imageset *set, uint64_t first, size_t count, float *latents);

/** ae_imageset_labels(set, first, count, labels) copies labels; AE_ERROR_KIND if there are none. */
ae_status ae_imageset_labels(const ae_imageset *set, uint64_t first, size_t count, uint8_t *labels);

/**
 * ae_imageset_name(set, index, out, capacity, size) copies the file name of an image, UTF-8 with a
 * closing NUL that *size counts; AE_ERROR_KIND if the set has no names.
 */
ae_status ae_imageset_name(const ae_imageset *set, uint64_t index, char *out, size_t capacity, size_t *size);

/* ------------------------------------------------------------------------------------------------
 * Training
 */

/** ae_trainer is a network in training. */
typedef struct ae_trainer ae_trainer;

/** Losses. Values are pinned; files hold them. */
enum {
  AE_LOSS_MSE = 0,      /* squared error */
  AE_LOSS_BERNOULLI = 1 /* cross-entropy, for pixels seen as probabilities */
};

/** Activations of the output layer. Values are pinned; files hold them. */
enum { AE_OUTPUT_LINEAR = 0, AE_OUTPUT_SIGMOID = 1 };

/** Courses of the learning rate. Values are pinned; files hold them. */
enum { AE_SCHEDULE_CONSTANT = 0, AE_SCHEDULE_COSINE = 1, AE_SCHEDULE_ONE_CYCLE = 2 };

/** ae_training_progress is what a progress callback is told. */
typedef struct ae_training_progress {
  size_t struct_size;
  uint64_t step;           /* steps done */
  uint64_t step_count;     /* steps in all */
  double loss;             /* mean over the steps since the last call; the loss that is minimised */
  double mse;              /* mean squared error per pixel, [0, 1] scale, over the same steps */
  double psnr;             /* of that, in dB */
  double validation_mse;   /* on the validation split; -1 if not measured at this call */
  double learning_rate;
  double seconds;          /* since training began */
} ae_training_progress;

/**
 * ae_progress_callback(context, progress) is called on the thread that trains. Return 0 to go on;
 * anything else stops training cleanly: the call returns AE_ERROR_STOPPED and the trainer is as
 * after a whole step.
 */
typedef int32_t (*ae_progress_callback)(void *context, const ae_training_progress *progress);

/**
 * ae_log_callback(context, message) gets a line of text, UTF-8, without a newline, valid during the
 * call, on the thread that trains.
 */
typedef void (*ae_log_callback)(void *context, const char *message);

/**
 * ae_poll_callback(context) is called on the thread that trains between steps, some ten times a second. Return 0 to go
 * on; anything else stops training as ae_progress_callback does, without waiting for the next report.
 */
typedef int32_t (*ae_poll_callback)(void *context);

/** ae_trainer_options says what to train and how. */
typedef struct ae_trainer_options {
  size_t struct_size;            /* set by ae_trainer_options_init */
  int32_t kind;                  /* AE_KIND_...; default AE_KIND_ELU */
  int32_t width, height;         /* pixels, 1 to 64; default 28 x 28 */
  int32_t latent_size;           /* 1 to 1024; default 5, for variational kinds 20 when left 0 */
  const int32_t *hidden;         /* widths of the encoder's hidden layers, 1 to 4096 each; the decoder
                                    mirrors them; NULL: 500, 500, and for AE_KIND_CONV_VAE 32, 64, 256. Of a
                                    conv-vae all but the last are channels, at most 1024, of convolutions whose
                                    pictures hold at most 32768 numbers: one with as many channels as the one
                                    before it keeps the picture's size (windows of 3 x 3), any other halves it
                                    (4 x 4, stride 2) */
  int32_t hidden_count;          /* 0 to 8; of a conv-vae at least 2 */
  int32_t loss;                  /* AE_LOSS_...; -1 (default): MSE, or Bernoulli for variational kinds */
  int32_t output;                /* AE_OUTPUT_...; -1 (default): linear for MSE, sigmoid for Bernoulli */
  int32_t schedule;              /* AE_SCHEDULE_...; default constant */
  int32_t batch_size;            /* images in a batch, 1 to 65536; default 100 */
  uint64_t step_count;           /* default 50000; ignored for PCA */
  uint64_t seed;                 /* fixes the weights' start, the batches and all noise; default 1 */
  double learning_rate;          /* peak; default 1e-3 */
  double beta;                   /* weight of the KL term; default 1 */
  uint64_t beta_warmup_steps;    /* KL weight rises linearly from 0 over so many steps; default 0 */
  double noise;                  /* standard deviation of Gaussian noise on the input; default 0 */
  double deformation;            /* standard deviation of the entries of a random linear map that every
                                    image of a set goes through: slant, turn, size; [0, 0.5]; default 0 */
  double gradient_clip;          /* largest norm of the gradient; 0 (default): none */
  double weight_average;         /* decay of the running average of the weights that the model gets,
                                    in [0, 1); 0 (default): the last weights */
  int32_t importance_samples;    /* draws of the latent for each image, 1 to 64, for variational kinds:
                                    more than 1 tightens the bound that is maximised; default 1 */
  int32_t binarize;              /* 1: every batch's pixels are drawn as 0 or 1 with their value as
                                    probability; default 0 */
  uint64_t importance_warmup_steps; /* so many steps draw once, whatever importance_samples says; default 0 */
  double validation_fraction;    /* share of the images held out, [0, 0.5]; default 0 */
  uint64_t progress_interval;    /* steps between progress calls; default 500 */
  ae_progress_callback progress; /* may be NULL */
  ae_log_callback log;           /* may be NULL */
  void *context;                 /* handed to the callbacks */
  const char *name;              /* the model's name, at most 64 bytes of UTF-8; NULL: the kind's name */
  ae_poll_callback poll;         /* may be NULL */
} ae_trainer_options;

/** ae_trainer_options_init(options, struct_size) sets every default; see ae_compress_options_init. */
ae_status ae_trainer_options_init(ae_trainer_options *options, size_t struct_size);

/** ae_trainer_create(options, trainer) stores a new trainer in *trainer. `options` may go after that. */
ae_status ae_trainer_create(const ae_trainer_options *options, ae_trainer **trainer);

/** ae_trainer_free(trainer) frees a trainer. Models taken from it live on. */
void ae_trainer_free(ae_trainer *trainer);

/**
 * ae_trainer_fit(trainer, images, count) trains on a set until step_count steps are done, batches
 * drawn at random. Called again after AE_ERROR_STOPPED, it goes on where it stopped, and ends with
 * the weights of an unbroken run. A run goes on with the images that it began with, also when it was
 * resumed: others are AE_ERROR_ARGUMENT. For batches of your own there is ae_trainer_step.
 *   images: count * width * height bytes, at least one image beside the validation split.
 */
ae_status ae_trainer_fit(ae_trainer *trainer, const uint8_t *images, size_t count);

/**
 * ae_trainer_step(trainer, images, count, progress) makes one step on one batch of the caller's.
 *   images:   count * width * height floats in [0, 1]; count in [1, 65536].
 *   progress: filled if not NULL.
 * AE_ERROR_KIND for PCA, which has no steps.
 */
ae_status ae_trainer_step(ae_trainer *trainer, const float *images, size_t count,
                          ae_training_progress *progress);

/**
 * ae_trainer_model(trainer, images, count, model) stores in *model a model with the weights as they
 * are now. The images (bytes, as in ae_trainer_fit; a few thousand are enough) fit the ranges of its
 * integer form and the probability tables of its codes; with NULL and 0 the model has no codec. If the integer
 * form rebuilds them more than 3 dB worse than the floats do, the log callback is told.
 */
ae_status ae_trainer_model(const ae_trainer *trainer, const uint8_t *images, size_t count, ae_model **model);

/**
 * ae_trainer_save(trainer, out, capacity, size) writes a checkpoint: weights, optimiser, step.
 * A run resumed from it ends with the bytes of the unbroken run.
 */
ae_status ae_trainer_save(const ae_trainer *trainer, void *out, size_t capacity, size_t *size);

/**
 * ae_trainer_save_file(trainer, path) writes the same bytes to a file, as ae_model_save_file does.
 */
ae_status ae_trainer_save_file(const ae_trainer *trainer, const char *path);

/**
 * ae_trainer_resume(data, byte_count, options, trainer) stores in *trainer the trainer of a
 * checkpoint. Its options are the checkpoint's; of `options` (which may be NULL) only
 * progress_interval, progress, log, poll and context are used. The tool alone goes on with
 * runs of `aez train --lambda`, for which this is AE_ERROR_KIND, and of `--optimizer muon` or `--start`, for which it
 * is AE_ERROR_VERSION.
 */
ae_status ae_trainer_resume(const void *data, size_t byte_count, const ae_trainer_options *options,
                            ae_trainer **trainer);

/** ae_trainer_resume_file(path, options, trainer) is ae_trainer_resume for a file. */
ae_status ae_trainer_resume_file(const char *path, const ae_trainer_options *options, ae_trainer **trainer);

#ifdef __cplusplus
}
#endif

#endif /* AE_H */
