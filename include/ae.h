/*
 * ae.h - learned compression for sets of small images.
 *
 * libae trains autoencoders, encodes images to latent codes and back, and packs image sets into
 * small files. This header is the whole of its C interface, and its manual: version, errors, contexts, options,
 * models, encoding and decoding, image sets, training, in that order. Synopsis:
 *
 *   ae_model *model;
 *   if (ae_model_open(NULL, "mnist.aew", &model) != AE_OK) { puts(ae_last_error()); return 1; }
 *   float *latents = malloc(count * ae_latent_size(model) * sizeof(float));
 *   ae_encode_u8(NULL, model, pixels, count, latents);
 *   ae_decode_u8(NULL, model, latents, count, pixels);
 *   ae_model_free(model);
 *
 * Conventions
 *
 * - Every call that can fail returns an ae_status; results go through out-pointers. After an error
 *   the contents of output arrays are undefined, out-pointers to handles are set to NULL, and
 *   ae_last_error() says what was expected and what came.
 * - The first argument of a call that works is a context: its threads and its allocator. NULL stands for the process's
 *   defaults. Handles that work (image sets, writers, trainers) keep the context that they were made with.
 * - An image is ae_input_size(model) values, row-major (top row first, left pixel first): float in
 *   [0, 1], or uint8_t in [0, 255], where 255 stands for 1. A set of images is one array, image
 *   after image. A latent code is ae_latent_size(model) floats. Counts are of images, not of bytes.
 * - A count of 0 is allowed wherever images or codes are counted, and then array pointers may be NULL. Calls that are
 *   fitted to images (ae_model_quantize, ae_model_fit_lossless, ae_trainer_fit) need at least one.
 * - Input and output arrays belong to the caller; what a call writes (arrays, structs, sizes) must not
 *   overlap with anything else that it is given: AE_ERROR_ARGUMENT if it does. Handles belong to the
 *   caller, too, and are freed with the call named for them; freeing NULL does nothing.
 * - Calls that produce bytes take (out, capacity, size). With out NULL they store in *size an upper bound on the
 *   bytes, at almost no cost; otherwise they fill out and store the bytes used. If capacity is too small they return
 *   AE_ERROR_BUFFER and *size is a capacity that is enough.
 * - Structs begin with struct_size, which the caller sets to sizeof, so that they can grow at their ends without
 *   breaking programs built earlier. Sizes from version 0.2.0 on are accepted: fields beyond the caller's struct_size
 *   have their defaults, and fields that the library does not know must be zero (AE_ERROR_VERSION if not). A struct
 *   that is zero but for struct_size asks for every default.
 * - Nothing is printed. No input ends the process, nor does a lack of memory. The only global state is the number of
 *   threads, a pool of sleeping threads, the memory that is kept between calls (see Memory), and, in each thread, its
 *   last error.
 * - A call takes at most 192 KiB of the calling thread's stack, most of it in products with AVX-512.
 * - Each call works in the default floating-point environment (to nearest, denormals kept, no traps)
 *   and puts the caller's back, flags included. Callbacks run in the default one.
 * - Threads: contexts, models and image sets are immutable; any number of threads may use one at the same time. A
 *   trainer, a writer and options are used by one thread at a time. A handle that was freed, or is
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
 * kernel path in use (generic, avx2, avxvnni, avx512, neon, dotprod), versions of the file formats, build mode.
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
  AE_ERROR_DIVERGED = 12, /* overflow: a loss or an output of a model is not finite */
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
 *
 * Of the process; a context may say otherwise for itself.
 */

/**
 * ae_set_threads(threads) sets how many threads, in [1, 256], a call without a context may use;
 * 0 means the machine's processors, which is the default unless the environment's AE_THREADS says
 * otherwise. With 1 the library starts no thread. Results do not depend on the number.
 */
ae_status ae_set_threads(int32_t threads);

/** ae_threads() returns how many threads a call may use. */
int32_t ae_threads(void);

/* ------------------------------------------------------------------------------------------------
 * Memory
 *
 * Any allocation may be refused: the call then returns AE_ERROR_MEMORY, frees what it took, and works when it is called
 * again with memory at hand. Kept between calls are a reserve of 1 MiB, mostly untouched, for as many calls as have run
 * at the same time (1024 at most); work space of matrix products, at most 64 MiB in all; 1 KiB in each thread that met
 * an error; and models that come with libae once they were opened, by the process or by the context that found them.
 */

/** ae_release_memory() frees what is kept between calls, but for last errors and models. Calls may be under way. */
void ae_release_memory(void);

/* ------------------------------------------------------------------------------------------------
 * Contexts
 *
 * A context holds a number of threads, an allocator, and where to look for models. A call that is given one uses at most
 * its threads, and takes all memory that grows with its input from its allocator: arrays, weights, work space. What
 * outlives the call, such as a model, is returned to the same allocator when it is freed, on any thread, also after
 * ae_context_free; so the allocator must live that long. malloc still provides the reserves of calls (see Memory), small
 * objects (at most 1 MiB during a call and 64 KiB after it), 48 KiB for each zlib stream that is read, and the context
 * itself. NULL stands for the process's number of threads and malloc. Results do not depend on contexts.
 *
 * Any number of threads may use one context, or different ones, at the same time.
 */

/** ae_context is a number of threads, an allocator and a path of models, immutable. */
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

/** ae_context_options says what a context is to be. All zero but struct_size: every default. */
typedef struct ae_context_options {
  size_t struct_size;            /* sizeof(ae_context_options) */
  int32_t threads;               /* 0 (default): as ae_set_threads says; else 1 to 256 */
  ae_allocate_callback allocate; /* NULL (default) for malloc; both or neither */
  ae_free_callback free;
  void *allocator;               /* handed to both */
  const char *model_path;        /* where to look for models before AE_MODEL_PATH: files and folders, separated by
                                    colons; NULL: nowhere */
} ae_context_options;

/** ae_context_create(options, context) stores a new context in *context. `options` may be NULL; it is copied. */
ae_status ae_context_create(const ae_context_options *options, ae_context **context);

/** ae_context_free(context) frees a context. What was made in calls with it lives on. */
void ae_context_free(ae_context *context);

/* ------------------------------------------------------------------------------------------------
 * Options
 *
 * Options say how to train, fit and compress. Each is a key with a value, and a table describes the keys. The tool's
 * flags (--batch-size) and Python's keywords (batch_size) are the same keys.
 */

/** ae_options holds values for the options of one table. */
typedef struct ae_options ae_options;

/** Tables of options. Values are pinned. */
enum {
  AE_OPTIONS_TRAINING = 0,     /* ae_trainer_create */
  AE_OPTIONS_COMPRESSION = 1,  /* ae_compress, ae_writer_create */
  AE_OPTIONS_QUANTIZATION = 2, /* ae_model_quantize */
  AE_OPTIONS_LOSSLESS = 3,     /* ae_model_fit_lossless */
  AE_OPTIONS_PREDICTOR = 4,    /* ae_predictor_fit */
  AE_OPTIONS_SHRINKING = 5     /* ae_model_shrink */
};

/** ae_options_create(table, options) stores new options in *options, all at their defaults. */
ae_status ae_options_create(int32_t table, ae_options **options);

/** ae_options_free(options) frees options. */
void ae_options_free(ae_options *options);

/**
 * ae_options_set(options, key, value) sets an option from text: "3000", "1e-3", "true", "cosine", "500,500", "auto".
 * AE_ERROR_ARGUMENT, naming the nearest key, for an unknown one, and for a value that is out of range. The key
 * "preset" of AE_OPTIONS_TRAINING sets all options of a preset.
 */
ae_status ae_options_set(ae_options *options, const char *key, const char *value);

/** ae_options_set_integer(options, key, value) is ae_options_set for integers, flags (0, 1) and numbers of choices. */
ae_status ae_options_set_integer(ae_options *options, const char *key, int64_t value);

/** ae_options_set_number(options, key, value) is ae_options_set for numbers. */
ae_status ae_options_set_number(ae_options *options, const char *key, double value);

/** ae_options_get(options, key, out, capacity, size) copies a value as text with a closing NUL that *size counts. */
ae_status ae_options_get(const ae_options *options, const char *key, char *out, size_t capacity, size_t *size);

/** Types of options. Values are pinned. */
enum {
  AE_OPTION_INTEGER = 0,
  AE_OPTION_NUMBER = 1,
  AE_OPTION_FLAG = 2,    /* true or false */
  AE_OPTION_CHOICE = 3,  /* one of a few words */
  AE_OPTION_TEXT = 4,    /* UTF-8, of at most `maximum` bytes */
  AE_OPTION_INTEGERS = 5 /* separated by commas, or none */
};

/** ae_option_information is what ae_option_info tells. Strings live as long as the library. */
typedef struct ae_option_information {
  size_t struct_size; /* in: sizeof(ae_option_information) */
  int32_t type;       /* AE_OPTION_... */
  int32_t is_implied; /* 1 if tool and Python take the value from the images */
  double minimum;
  double maximum;
  const char *key;
  const char *default_value; /* as text; "auto" if it follows from other options */
  const char *automatic;     /* what "auto" stands for; "" if "auto" is not accepted */
  const char *choices;       /* of AE_OPTION_CHOICE, separated by commas, the first numbered 0; an empty one is none; else "" */
  const char *documentation; /* a sentence or two */
  const char *former_flags;  /* the tool's flags for it in earlier versions, separated by blanks */
} ae_option_information;

/** ae_option_count(table) returns how many options a table has; 0 for an unknown table. */
size_t ae_option_count(int32_t table);

/** ae_option_info(table, index, information) describes an option. */
ae_status ae_option_info(int32_t table, size_t index, ae_option_information *information);

/** ae_preset_information is what ae_preset_info tells. Strings live as long as the library. */
typedef struct ae_preset_information {
  size_t struct_size; /* in: sizeof(ae_preset_information) */
  const char *name;
  const char *summary;
  const char *options; /* key=value, separated by blanks */
} ae_preset_information;

/** ae_preset_count() returns how many presets of training there are. */
size_t ae_preset_count(void);

/** ae_preset_info(index, information) describes a preset. */
ae_status ae_preset_info(size_t index, ae_preset_information *information);

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
  AE_KIND_CONV_VAE = 6,
  AE_KIND_PREDICTOR = 7, /* no autoencoder: predicts pixels, for lossless image sets; of no size, without codes */
  AE_KIND_RESIDUAL_VAE = 8, /* conv-vae with residual connections; since 0.2.2 */
  AE_KIND_CUSTOM = 9        /* encoder and decoder given as lists of nodes; since 0.2.2 */
};

/** How a model's numbers are stored. Values are pinned; files hold them. */
enum {
  AE_STORAGE_FLOAT32 = 0,
  AE_STORAGE_FLOAT16 = 1,
  AE_STORAGE_INT8 = 2 /* integers with a scale per output channel; runs in integer arithmetic */
};

/** ae_model_open(context, path, model) reads a weight file (.aew) and stores a new model in *model. */
ae_status ae_model_open(const ae_context *context, const char *path, ae_model **model);

/**
 * ae_model_open_memory(context, data, byte_count, model) is ae_model_open for a weight file in memory. The
 * bytes are copied as needed and may be freed after the call.
 */
ae_status ae_model_open_memory(const ae_context *context, const void *data, size_t byte_count, ae_model **model);

/**
 * ae_model_default(context, name, model) opens a model that comes with libae: "digits-high" (NULL stands for it),
 * "digits-low", "exact", "mnist-30", "universal", "digits-low-small" or "digits-high-small". The small ones are the first two
 * pruned, for sets that hold their model. They are files in share/libae/models, beside the folder of the library or of the
 * program; the context's model_path and the environment's AE_MODEL_PATH are looked at first. AE_ERROR_MODEL, naming
 * where it was looked for, if it is not found.
 */
ae_status ae_model_default(const ae_context *context, const char *name, ae_model **model);

/** ae_model_free(model) frees a model. Image sets opened with it keep what they need. */
void ae_model_free(ae_model *model);

/** ae_model_information is what ae_model_info tells. */
typedef struct ae_model_information {
  size_t struct_size;      /* in: sizeof(ae_model_information) */
  int32_t kind;            /* AE_KIND_... */
  int32_t storage;         /* AE_STORAGE_... */
  int32_t width;           /* pixels */
  int32_t height;          /* pixels */
  int32_t channels;        /* 1 (grey), 3 (RGB) or 4 (RGB and alpha) */
  int32_t latent_size;     /* numbers in a code */
  int32_t has_encoder;     /* 1 if ae_encode works, 0 for a decoder alone */
  int32_t is_variational;  /* 1 if ae_posterior and ae_sample work */
  int32_t has_codec;       /* 1 if ae_compress and image sets work */
  int32_t quality_count;   /* qualities that ae_compress offers: 1 to quality_count; 0 without codec */
  uint64_t parameter_count; /* weights and biases */
  char hash[65];           /* the hash that image sets name the model by: 64 hex digits, "" without codec */
  char name[65];           /* the model's name, UTF-8 */
  int32_t has_lossless;    /* 1 if it holds a network for lossless coding (ae_model_fit_lossless) */
  int32_t default_quality; /* of 1 to quality_count; 0 without codec */
  int64_t has_predictor;   /* 1 if it holds a predictor of pixels (ae_predictor_fit); since 0.2.1 */
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

/** Flags for ae_model_export_c. */
enum { AE_EXPORT_ENCODER = 1 };

/**
 * ae_model_export_c(model, prefix, flags, out, capacity, size) writes the model's decoder as C source into out, one file
 * of C99 with a closing NUL that *size counts: integers alone, without malloc, a library or memory of its own. Its
 * PREFIX_decode gives the pixels of ae_decode_u8 with the model stored as int8, byte for byte; the file's first comment
 * says how to call it and what it takes. docs/embed-c.md is the guide.
 *   prefix: what its names begin with, at most 40 letters, digits and single underscores; NULL stands for "decoder".
 *   flags:  0, or AE_EXPORT_ENCODER for the encoder, too.
 * AE_ERROR_KIND if the model has no integer networks (ae_model_quantize adds them), or no encoder where one is asked for.
 */
ae_status ae_model_export_c(const ae_model *model, const char *prefix, uint32_t flags, char *out, size_t capacity,
                            size_t *size);

/** ae_model_export_c_file(model, prefix, flags, path) writes the same text, without the NUL, as ae_model_save_file does. */
ae_status ae_model_export_c_file(const ae_model *model, const char *prefix, uint32_t flags, const char *path);

/**
 * ae_tensor is an array of a model's: weights of a dense layer [outputs, inputs], of a convolution [channels out, kernel,
 * kernel, channels in], of a transposed one [kernel, kernel, channels out, channels in]; or biases [channels out].
 */
typedef struct ae_tensor {
  size_t struct_size;  /* sizeof(ae_tensor) */
  const char *name;    /* "encoder.0.weight", "encoder.0.bias", ..., "decoder.2.bias": by the number of the node */
  const float *values; /* row-major */
  size_t count;        /* numbers in it */
} ae_tensor;

/**
 * ae_model_create(context, description, tensors, tensor_count, model) makes a model of a description and arrays, which
 * are copied.
 *   description: the options of AE_OPTIONS_TRAINING that describe a network: "kind=elu width=28 height=28 latent_size=8
 *                hidden=500,500 output_activation=linear name=mine". `name` must be last and extends to the end of the
 *                text. Other options are AE_ERROR_ARGUMENT. A network of one's own is of the kind custom, with encoder and
 *                decoder as lists of nodes: "kind=custom width=32 height=32 channels=3 latent_size=64 variational=false
 *                output_activation=sigmoid encoder=convolution(channels=16,kernel=3,stride=2,padding=1,activation=relu);
 *                dense(outputs=64) decoder=... name=mine" (a list has no blanks; docs/networks.md has the language). The
 *                decoder's numbers are pixels on the [0, 1] scale, [height, width, channels].
 *   tensors:     an array whose elements are as long as the first one's struct_size.
 * AE_ERROR_SHAPE, naming the tensor, if one is missing or of another size. Without any tensor of the encoder the model is
 * a decoder alone. The model has no codec: ae_model_quantize adds one.
 */
ae_status ae_model_create(const ae_context *context, const char *description, const ae_tensor *tensors,
                          size_t tensor_count, ae_model **model);

/** ae_model_description(model, out, capacity, size) copies the description for ae_model_create, with a closing NUL. */
ae_status ae_model_description(const ae_model *model, char *out, size_t capacity, size_t *size);

/**
 * ae_model_tensor(model, index, tensor) describes an array of the model; name and values live as long as the model.
 * AE_ERROR_ARGUMENT beyond the last; AE_ERROR_KIND for a model of int8 storage.
 */
ae_status ae_model_tensor(const ae_model *model, size_t index, ae_tensor *tensor);

/**
 * ae_count_callback(context, done, count) is called on the thread that called, some ten times a second while a long
 * call is at work: `done` of `count` images (or steps) are done; `count` is 0 if it is not known. Return 0 to go
 * on; anything else stops the call within a few images: it returns AE_ERROR_STOPPED, and files that it was to write are
 * as before.
 */
typedef int32_t (*ae_count_callback)(void *context, uint64_t done, uint64_t count);

/**
 * ae_model_quantize(context, model, images, count, options, result) stores in *result the model with integer networks
 * and a codec, fitted to images (post-training quantisation): what image sets need. ae_trainer_model does it for a
 * network just trained.
 *   model:   in floats, with an encoder; integer networks and a codec that it has are replaced.
 *   images:  count * ae_input_size bytes; a few thousand are enough.
 *   options: AE_OPTIONS_QUANTIZATION, or NULL.
 */
ae_status ae_model_quantize(const ae_context *context, const ae_model *model, const uint8_t *images, size_t count,
                            const ae_options *options, ae_model **result);

/**
 * ae_model_fit_lossless(context, model, images, count, options, progress, progress_context, result) stores in *result
 * the model with a network for lossless coding, trained on images that were drawn from bilevel scans, as MNIST's were.
 *   model:    with a codec.
 *   options:  AE_OPTIONS_LOSSLESS, or NULL.
 *   progress: may be NULL. It counts images while scans are searched for, and steps while the network is trained.
 * AE_ERROR_KIND if hardly any image has a scan.
 */
ae_status ae_model_fit_lossless(const ae_context *context, const ae_model *model, const uint8_t *images, size_t count,
                                const ae_options *options, ae_count_callback progress, void *progress_context,
                                ae_model **result);

/** ae_shrink_report is what ae_model_shrink found. */
typedef struct ae_shrink_report {
  size_t struct_size;      /* in: sizeof(ae_shrink_report) */
  double density;          /* the share of weights that stay */
  double loss;             /* dB: the mean difference of the PSNR at equal bytes, on images held out of training */
  uint64_t held_out_count; /* images that were measured on */
} ae_shrink_report;

/**
 * ae_model_shrink(context, model, images, count, options, progress, progress_context, report, result) stores in *result a
 * model of few bytes: the same networks, most of their weights pruned to 0, the others quantised to 4 bits, trained on
 * meanwhile, as far as the option `target_loss` allows. It has integer networks and a codec of its own, and is saved with
 * AE_STORAGE_INT8.
 *   model:    in floats or integers, with an encoder. How it was trained (rd_lambda, deformation and the like) is taken from
 *             its provenance where that is a command of this library's; options say otherwise.
 *   images:   count * ae_input_size bytes, at least 20 images; a tenth of them, at most 2,000, is held out. NULL and 0:
 *             images that the model draws itself, of codes as its tables have them.
 *   options:  AE_OPTIONS_SHRINKING, or NULL.
 *   progress: may be NULL. It counts the steps of each density that is tried, from 0 on.
 *   report:   may be NULL.
 * It takes minutes: some five times `steps` of training. AE_ERROR_KIND for a decoder alone, a pca, a predictor, and for a
 * model in integers with nodes that hold tables and no weights; AE_ERROR_STOPPED as ae_trainer_fit.
 */
ae_status ae_model_shrink(const ae_context *context, const ae_model *model, const uint8_t *images, size_t count,
                          const ae_options *options, ae_count_callback progress, void *progress_context,
                          ae_shrink_report *report, ae_model **result);

/** ae_predictor_report is what ae_predictor_fit measured, in bits for a value, on images held out of training. */
typedef struct ae_predictor_report {
  size_t struct_size;       /* in: sizeof(ae_predictor_report) */
  double contexts_bits;     /* coded in one block without a predictor */
  double float_bits;        /* what the network in floats says, before its weights are rounded to integers */
  double integer_bits;      /* the same of the network in integers */
  double coded_bits;        /* coded in one block with the predictor */
  uint64_t held_out_count;  /* images that were measured on */
} ae_predictor_report;

/**
 * ae_predictor_fit(context, images, count, width, height, channels, options, start, progress, progress_context, report,
 * result) stores in *result a model that holds a predictor of pixels alone: a network that says how likely each value of a
 * pixel is, from the pixels around it, with which lossless image sets of such images are smaller. It serves images of any
 * size and channels.
 *   images:   count * height * width * channels bytes, at least one image; channels is 1, 3 or 4, and sides are 1 to 256.
 *             About a fiftieth of them is held out; of one image, none.
 *   options:  AE_OPTIONS_PREDICTOR, or NULL.
 *   start:    a model whose predictor's weights are started from, or NULL for those that the option `initial` says: the
 *             universal predictor's, unless hidden layers are given, or random ones.
 *   progress: may be NULL. It counts steps.
 *   report:   may be NULL.
 * AE_ERROR_KIND if `start` has no predictor.
 */
ae_status ae_predictor_fit(const ae_context *context, const uint8_t *images, size_t count, int32_t width, int32_t height,
                           int32_t channels, const ae_options *options, const ae_model *start,
                           ae_count_callback progress, void *progress_context, ae_predictor_report *report,
                           ae_model **result);

/** ae_quality_information is what ae_quality_info tells. */
typedef struct ae_quality_information {
  size_t struct_size;     /* in: sizeof(ae_quality_information) */
  double bytes_per_image; /* mean over the images that the model was fitted to; 0 if the model does not say */
  double psnr;            /* of the mean squared error over the same, dB; 0 if the model does not say */
  char model_name[65];    /* the model that codes at this quality */
  int32_t is_default;     /* 1 for the default quality */
} ae_quality_information;

/**
 * ae_quality_count(context, model) returns how many qualities there are with a model, or with NULL on the scale over the models
 * that come with libae; 0 for a model without codec.
 */
int32_t ae_quality_count(const ae_context *context, const ae_model *model);

/** ae_quality_info(context, model, quality, information) describes quality 1 (smallest) ... ae_quality_count (best). */
ae_status ae_quality_info(const ae_context *context, const ae_model *model, int32_t quality,
                          ae_quality_information *information);

/* ------------------------------------------------------------------------------------------------
 * Encoding, decoding, sampling
 *
 * Float results agree between machines and kernel paths to within rounding, not bit for bit. For
 * that, use image sets, or a model of int8 storage, whose integer arithmetic is exact everywhere.
 *
 * Outputs are finite: AE_ERROR_DIVERGED if weights or inputs are so large that an output is not, before it is clamped
 * or rounded.
 */

/**
 * ae_encode(context, model, images, count, latents) encodes `count` images.
 *   images:  count * ae_input_size floats in [0, 1]; a value that is not finite is AE_ERROR_ARGUMENT.
 *   latents: count * ae_latent_size floats, written. A variational model gives the mean.
 * AE_ERROR_KIND if the model is a decoder alone.
 */
ae_status ae_encode(const ae_context *context, const ae_model *model, const float *images, size_t count, float *latents);

/** ae_encode_u8(context, model, images, count, latents) is ae_encode for bytes. */
ae_status ae_encode_u8(const ae_context *context, const ae_model *model, const uint8_t *images, size_t count, float *latents);

/**
 * ae_decode(context, model, latents, count, images) decodes `count` latent codes.
 *   latents: count * ae_latent_size finite floats.
 *   images:  count * ae_input_size floats, written, clamped to [0, 1].
 */
ae_status ae_decode(const ae_context *context, const ae_model *model, const float *latents, size_t count, float *images);

/** ae_decode_u8(context, model, latents, count, images) is ae_decode for bytes, rounded to nearest. */
ae_status ae_decode_u8(const ae_context *context, const ae_model *model, const float *latents, size_t count, uint8_t *images);

/**
 * ae_posterior(context, model, images, count, mean, log_variance) gives the Gaussian posterior of each image.
 *   images:             as in ae_encode.
 *   mean, log_variance: count * ae_latent_size floats each, written; the latter is ln(variance).
 * AE_ERROR_KIND if the model is not variational or is a decoder alone.
 */
ae_status ae_posterior(const ae_context *context, const ae_model *model, const float *images, size_t count, float *mean,
                       float *log_variance);

/** ae_posterior_u8(context, model, images, count, mean, log_variance) is ae_posterior for bytes. */
ae_status ae_posterior_u8(const ae_context *context, const ae_model *model, const uint8_t *images, size_t count,
                          float *mean, float *log_variance);

/**
 * ae_prior(context, model, count, seed, latents) draws latent codes from the prior, a unit Gaussian in each
 * latent. The same seed gives the same codes, bit for bit, on every machine, and a longer draw
 * begins with a shorter one. AE_ERROR_KIND if the model is not variational.
 *   latents: count * ae_latent_size floats, written.
 */
ae_status ae_prior(const ae_context *context, const ae_model *model, size_t count, uint64_t seed, float *latents);

/**
 * ae_sample(context, model, count, seed, images) draws codes as ae_prior does and decodes them: the images
 * are the decoder's means.
 *   images: count * ae_input_size floats in [0, 1], written.
 * AE_ERROR_KIND if the model is not variational.
 */
ae_status ae_sample(const ae_context *context, const ae_model *model, size_t count, uint64_t seed, float *images);

/** ae_sample_u8(context, model, count, seed, images) is ae_sample for bytes. */
ae_status ae_sample_u8(const ae_context *context, const ae_model *model, size_t count, uint64_t seed, uint8_t *images);

/** vae_encode(context, model, images, count, mean, log_variance) is ae_posterior by another name. */
ae_status vae_encode(const ae_context *context, const ae_model *model, const float *images, size_t count, float *mean,
                     float *log_variance);

/** vae_sample(context, model, count, seed, images) is ae_sample by another name. */
ae_status vae_sample(const ae_context *context, const ae_model *model, size_t count, uint64_t seed, float *images);

/* ------------------------------------------------------------------------------------------------
 * Image sets
 *
 * An image set (.aez) holds many images of one size. A lossy set holds latent codes, a few bytes each; an image whose
 * reconstruction would be too poor, such as a photograph among digits, is stored raw. A lossless set keeps every pixel, a
 * near-lossless one every pixel to within max_error. Images have 1, 3 or 4 channels, sides to 256 and at most 196608 bytes
 * (256 x 256 in 3 channels). Lossless and near-lossless sets need no model; with a model that was trained for it, sets of
 * handwritten digits are much smaller. Lossy sets are of images of the model's shape. No set is larger than its pixels and
 * its headers. Sets decode to the same pixels on every machine. Reading an image decodes its block alone.
 *
 * An image of a set is width * height * channels bytes, row after row from the top, and of each pixel its channels, one
 * after the other: grey; or red, green and blue; or these and alpha. What they mean is the caller's affair.
 *
 * The same images, model and options give the same bytes from these calls, from Python and from `aez compress`, on every
 * machine, with any number of threads, in libraries of one version.
 */

/** What an image set keeps of its images. Values are pinned; files hold them. */
enum {
  AE_MODE_LOSSY = 0,        /* latent codes: reconstructions close to the images */
  AE_MODE_LOSSLESS = 1,     /* every pixel */
  AE_MODE_NEAR_LOSSLESS = 2 /* every pixel to within a maximum error */
};

/** How lossless and near-lossless sets are coded. Values are pinned. */
enum {
  AE_METHOD_AUTO = 0,     /* the smallest that the model allows */
  AE_METHOD_CONTEXTS = 1, /* context mixing: fast, no model */
  AE_METHOD_SCANS = 2,    /* bilevel scans behind the images, predicted by the model; others as AE_METHOD_PREDICTED */
  AE_METHOD_PREDICTED = 3 /* pixel by pixel, by the model's predictor or the universal one (since 0.2.1) */
};

/** ae_imageset is an open image set, immutable. */
typedef struct ae_imageset ae_imageset;

/**
 * ae_compress_bound(context, model, count, options, size) stores in *size a capacity that is enough for ae_compress
 * with any `count` images, with labels, and the same model and options.
 */
ae_status ae_compress_bound(const ae_context *context, const ae_model *model, size_t count, const ae_options *options,
                            size_t *size);

/**
 * ae_compress(context, model, images, count, labels, options, out, capacity, size) packs `count` images into a set.
 *   model:   NULL for those that come with libae, over which `quality` is one scale; lossless and near-lossless sets
 *            of other sizes than theirs need none.
 *   images:  count * width * height * channels bytes, as the options say; "auto", the default, stands for the model's
 *            shape, and without a model for 28 x 28 in 1 channel.
 *   labels:  one byte an image, or NULL.
 *   options: AE_OPTIONS_COMPRESSION, or NULL for the defaults.
 * AE_ERROR_KIND if the model has no encoder or no codec; AE_ERROR_SHAPE if a lossy set is to be of other images than the
 * model's, or of more than 1 channel.
 */
ae_status ae_compress(const ae_context *context, const ae_model *model, const uint8_t *images, size_t count,
                      const uint8_t *labels, const ae_options *options, void *out, size_t capacity, size_t *size);

/**
 * ae_writer writes an image set as images come: memory stays below 64 MiB beside labels and names, for any number of
 * images. The bytes are those of ae_compress; the header is written when the writer is created. After AE_ERROR_ARGUMENT,
 * _MODEL, _KIND or _SHAPE the writer is as before; after any other error part of the set is missing, and it can only be
 * freed.
 */
typedef struct ae_writer ae_writer;

/**
 * ae_write_callback(context, bytes, byte_count) takes the next bytes of a set, on the thread that called. Return 0 to
 * go on; anything else ends the call with AE_ERROR_IO.
 */
typedef int32_t (*ae_write_callback)(void *context, const void *bytes, size_t byte_count);

/**
 * ae_writer_create(context, model, options, write, write_context, writer) stores in *writer a writer that hands its
 * bytes to a callback, front to back. Model and options are as in ae_compress; `options` is copied.
 */
ae_status ae_writer_create(const ae_context *context, const ae_model *model, const ae_options *options,
                           ae_write_callback write, void *write_context, ae_writer **writer);

/** ae_writer_create_like(context, set, write, write_context, writer) is ae_writer_create with the options of a set. */
ae_status ae_writer_create_like(const ae_context *context, const ae_imageset *set, ae_write_callback write,
                                void *write_context, ae_writer **writer);

/**
 * ae_writer_create_file(context, model, options, path, writer) writes to a file, as ae_model_save_file does: once
 * ae_writer_finish has returned the file is there, whole; until then it is as it was.
 */
ae_status ae_writer_create_file(const ae_context *context, const ae_model *model, const ae_options *options,
                                const char *path, ae_writer **writer);

/**
 * ae_writer_append_file(context, path, model, writer) appends to the set in a file: its blocks are copied, and images
 * that are added are coded with its options. `model` is as in ae_imageset_open.
 */
ae_status ae_writer_append_file(const ae_context *context, const char *path, const ae_model *model, ae_writer **writer);

/** ae_writer_set_progress(writer, progress, progress_context) sets a callback that may stop the coding of images. */
ae_status ae_writer_set_progress(ae_writer *writer, ae_count_callback progress, void *progress_context);

/**
 * ae_writer_add(writer, images, count, labels, names) adds images, any number at a time.
 *   images: count * width * height * channels bytes.
 *   labels: one byte an image, or NULL; for all images of a set or for none.
 *   names:  `count` file names, UTF-8 of 1 to 255 bytes without '/', neither "." nor "..", or NULL; for all or for none.
 */
ae_status ae_writer_add(ae_writer *writer, const uint8_t *images, size_t count, const uint8_t *labels,
                        const char *const *names);

/**
 * ae_writer_add_set(writer, set, first, count) adds images first ... first + count - 1 of a set by copying their blocks:
 * nothing is decoded. Both ends must be ends of blocks (AE_ERROR_ARGUMENT names the nearest) or of the set.
 * AE_ERROR_ARGUMENT if size, channels, mode, quality, or the presence of labels or names differ from the writer's,
 * AE_ERROR_MODEL if the model does.
 */
ae_status ae_writer_add_set(ae_writer *writer, const ae_imageset *set, uint64_t first, uint64_t count);

/** ae_writer_finish(writer) writes the last block, the index and the footer. The writer can then only be freed. */
ae_status ae_writer_finish(ae_writer *writer);

/** ae_writer_free(writer) frees a writer; if it was not finished, its file stays as it was. */
void ae_writer_free(ae_writer *writer);

/**
 * ae_concatenate_files(context, paths, path_count, out_path) writes the images of sets, one set after the other, as one,
 * by copying blocks. Of shards whose counts are whole blocks it makes the bytes of one run over all.
 */
ae_status ae_concatenate_files(const ae_context *context, const char *const *paths, size_t path_count,
                               const char *out_path);

/**
 * ae_split_file(context, path, first, count, out_path) writes images first ... first + count - 1 of a set as a set, by
 * copying blocks, as ae_writer_add_set does.
 */
ae_status ae_split_file(const ae_context *context, const char *path, uint64_t first, uint64_t count,
                        const char *out_path);

/**
 * ae_imageset_open(context, path, model, set) opens an image set; of the file, blocks are read as they are asked for.
 *   model: the one it was made with, or NULL: then it is the embedded one, one that comes with libae, or one on the
 *          context's model_path or the environment's AE_MODEL_PATH. AE_ERROR_MODEL names the model that is needed if it
 *          is none of these. It may be freed while the set is open.
 */
ae_status ae_imageset_open(const ae_context *context, const char *path, const ae_model *model, ae_imageset **set);

/** ae_imageset_open_memory(context, data, byte_count, model, set) is ae_imageset_open for bytes in memory. */
ae_status ae_imageset_open_memory(const ae_context *context, const void *data, size_t byte_count, const ae_model *model,
                                  ae_imageset **set);

/**
 * ae_read_callback(context, offset, byte_count, out) reads `byte_count` bytes from `offset` on into out. Return 0 if all
 * were read; anything else is AE_ERROR_IO. Called from the threads that read from the set, from several at once.
 */
typedef int32_t (*ae_read_callback)(void *context, uint64_t offset, size_t byte_count, void *out);

/**
 * ae_imageset_open_callback(context, read, read_context, byte_count, model, set) is ae_imageset_open for a set of
 * `byte_count` bytes that is read by range, as from an object store: its end first, then the blocks that are asked for.
 */
ae_status ae_imageset_open_callback(const ae_context *context, ae_read_callback read, void *read_context,
                                    uint64_t byte_count, const ae_model *model, ae_imageset **set);

/** ae_imageset_free(set) frees an image set. */
void ae_imageset_free(ae_imageset *set);

/** ae_imageset_information is what ae_imageset_info tells. */
typedef struct ae_imageset_information {
  size_t struct_size;     /* in: sizeof(ae_imageset_information) */
  uint64_t count;         /* images */
  int32_t width;          /* pixels */
  int32_t height;         /* pixels */
  int32_t channels;       /* bytes of a pixel: 1, 3 or 4 */
  int32_t latent_size;    /* numbers in a code; 0 if the set names no model */
  int32_t quality;        /* of 1 to the model's quality_count; 0 without codes */
  int32_t block_images;   /* images in a block; the last one, and those of sets that were concatenated, may have others */
  int32_t has_labels;     /* 1 if there is a label for each image */
  int32_t has_names;      /* 1 if there is a file name for each image */
  int32_t has_model;      /* 1 if the decoder is embedded */
  uint64_t byte_count;    /* the whole set, all headers counted */
  char model_hash[65];    /* of the model it was made with; 64 zeros if it names none */
  char model_name[65];
  int32_t mode;           /* AE_MODE_... */
  int32_t max_error;      /* maximum error of a pixel in a near-lossless set; else 0 */
  int32_t method;         /* of a lossless or near-lossless set: AE_METHOD_SCANS if a block is coded so, else
                             AE_METHOD_PREDICTED likewise, else AE_METHOD_CONTEXTS; else 0 */
  int32_t needs_model;    /* 0 if every block can be read without a model */
  uint64_t kept_count;    /* of a lossy set: images that are stored raw */
  int32_t scale_quality;  /* the quality on the scale over the models that come with libae; 0 for other models */
  int64_t needs_predictor;   /* 1 if a block needs a predictor of pixels, which may be the universal one */
  char predictor_hash[65];   /* of that predictor; 64 zeros if none is needed */
  char predictor_name[65];   /* of the model that holds it */
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
 *   images:     as in ae_imageset_read; the bytes of an image that is lost are 0. NULL only checks.
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

/** Schedules of the learning rate. Values are pinned; files hold them. */
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

/** ae_trainer_callbacks holds the callbacks of a trainer. All may be NULL. */
typedef struct ae_trainer_callbacks {
  size_t struct_size;         /* sizeof(ae_trainer_callbacks) */
  uint64_t progress_interval; /* steps between progress calls; 0: 500 */
  ae_progress_callback progress;
  ae_log_callback log;
  ae_poll_callback poll;
  void *context; /* handed to all of them */
} ae_trainer_callbacks;

/**
 * ae_trainer_create(context, options, trainer) stores a new trainer in *trainer.
 *   options: AE_OPTIONS_TRAINING, or NULL for the defaults; copied.
 */
ae_status ae_trainer_create(const ae_context *context, const ae_options *options, ae_trainer **trainer);

/**
 * ae_trainer_create_from(context, model, options, trainer) stores in *trainer a trainer that starts from the weights of
 * a model in floats, to train it on other images or for more steps. The network is the model's; options that differ from
 * it are AE_ERROR_ARGUMENT. AE_ERROR_KIND for a pca, a decoder alone, and a model of int8 storage.
 */
ae_status ae_trainer_create_from(const ae_context *context, const ae_model *model, const ae_options *options,
                                 ae_trainer **trainer);

/** ae_trainer_set_callbacks(trainer, callbacks) replaces the callbacks; NULL for none. */
ae_status ae_trainer_set_callbacks(ae_trainer *trainer, const ae_trainer_callbacks *callbacks);

/** ae_trainer_get_options(trainer, options) stores in *options a copy of the trainer's options. */
ae_status ae_trainer_get_options(const ae_trainer *trainer, ae_options **options);

/** ae_trainer_free(trainer) frees a trainer. Models taken from it live on. */
void ae_trainer_free(ae_trainer *trainer);

/**
 * ae_trainer_fit(trainer, images, count) trains on a set until step_count steps are done, batches
 * drawn at random. Called again after AE_ERROR_STOPPED, it goes on where it stopped, and ends with
 * the weights of an unbroken run. A run, also a resumed one, needs the images that it began with: others are
 * AE_ERROR_ARGUMENT. For batches of your own there is ae_trainer_step.
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
 * are now. Integer networks and a codec are fitted to the images, as by ae_model_quantize; with NULL and 0 the model has
 * none. The log callback gets a warning if the integer networks reconstruct the images more than 3 dB worse than the
 * floats do.
 *   images: bytes, as in ae_trainer_fit; a few thousand are enough. Images of the validation split are left out.
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
 * ae_trainer_resume(context, data, byte_count, trainer) stores in *trainer the trainer of a checkpoint, with its options.
 */
ae_status ae_trainer_resume(const ae_context *context, const void *data, size_t byte_count, ae_trainer **trainer);

/** ae_trainer_resume_file(context, path, trainer) is ae_trainer_resume for a file. */
ae_status ae_trainer_resume_file(const ae_context *context, const char *path, ae_trainer **trainer);

#ifdef __cplusplus
}
#endif

#endif /* AE_H */
