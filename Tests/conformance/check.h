/*
 * The small frame that the conformance programs hang in: one line per check, a count at the end. It is
 * plain C99 and POSIX, so that what is tested is libae.so and not a test library.
 */
#ifndef CHECK_H
#define CHECK_H

#include <ae.h>
#include <stddef.h>
#include <stdint.h>

/** check(condition, format, ...) reports one fact; returns the condition. */
int check(int condition, const char *format, ...);

/** check_status(actual, expected, format, ...) is check(actual == expected), and says what came. */
int check_status(ae_status actual, ae_status expected, const char *format, ...);

/** skip(format, ...) counts and names something that this machine cannot test. */
void skip(const char *format, ...);

/** require(pointer) ends the program if memory for the test itself is out; returns the pointer. */
void *require(void *pointer);

/* ---- Images and models to test on ---- */

enum { WIDTH = 16, HEIGHT = 12, SIZE = WIDTH * HEIGHT, LATENTS = 4, COUNT = 300, STEPS = 1000 };

/** pixels: COUNT images of soft discs, the same in every run. */
extern uint8_t pixels[COUNT * SIZE];
/** labels: one byte an image. */
extern uint8_t labels[COUNT];

/** Models trained on them: an elu and a vae, both with codec. */
extern ae_model *elu, *vae;

/** options_of(table, text) makes options of "key=value key=value". */
ae_options *options_of(int32_t table, const char *text);

/** set_options(options, text) sets what a text says, "key=value key=value". */
void set_options(ae_options *options, const char *text);

/** small_options(kind, text) makes options for a network that trains in a moment, and for what the text says. */
ae_options *small_options(int32_t kind, const char *text);

/** trainer_of(kind, text) makes a trainer of such options. */
ae_trainer *trainer_of(int32_t kind, const char *text);

/** train(kind) trains such a network to its end and gives its model, with codec. */
ae_model *train(int32_t kind);

/** saved(model, storage, flags, size) is the model's weight file in malloc'd memory. */
void *saved(const ae_model *model, int32_t storage, uint32_t flags, size_t *size);

/** compressed(model, count, labels, text, size) is an image set in malloc'd memory; `text` says its options. */
void *compressed(const ae_model *model, size_t count, const uint8_t *labels, const char *text, size_t *size);

/** opened_set(bytes, size, model) is a set in memory, open. */
ae_imageset *opened_set(const void *bytes, size_t size, const ae_model *model);

/**
 * in_last_block(bytes, size, fewer, fewer_size) is the place of a byte in a set's last block: behind what the set has in
 * common with one that lacks the images of that block.
 */
size_t in_last_block(const void *bytes, size_t size, const void *fewer, size_t fewer_size);

/** read_file(path, size) is a file in malloc'd memory, with a 0 behind it. */
void *read_file(const char *path, size_t *size);

/** write_file(path, bytes, size) makes a file. */
void write_file(const char *path, const void *bytes, size_t size);

/* ---- The sections, one file each ---- */

void test_library(void);
void test_contexts(void);
void test_calls_in_contexts(void);
void test_option_tables(void);
void test_models(void);
void test_tensors(void);
void test_coding(void);
void test_image_sets(void);
void test_writers(void);
void test_colour(void);
void test_reading(void);
void test_training(void);
void test_hostile_files(void);
void test_environment(void);
void test_ownership(void);
void test_process(void);
void test_sharing(void); /* of test_process what the thread sanitizer is to see */

#endif
