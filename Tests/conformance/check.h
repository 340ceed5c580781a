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

/** small_options(options, kind) sets options for a network that trains in a moment. */
void small_options(ae_trainer_options *options, int32_t kind);

/** train(kind) trains such a network to its end and gives its model, with codec. */
ae_model *train(int32_t kind);

/** saved(model, storage, flags, size) is the model's weight file in malloc'd memory. */
void *saved(const ae_model *model, int32_t storage, uint32_t flags, size_t *size);

/** compressed(model, count, options, size) is an image set in malloc'd memory. */
void *compressed(const ae_model *model, size_t count, const ae_compress_options *options, size_t *size);

/* ---- The sections, one file each ---- */

void test_library(void);
void test_contexts(void);
void test_models(void);
void test_coding(void);
void test_image_sets(void);
void test_training(void);
void test_hostile_files(void);
void test_environment(void);
void test_ownership(void);
void test_process(void);
void test_sharing(void); /* of test_process what the thread sanitizer is to see */

#endif
