/*
 * CPNG: PNG files in memory, read and written by libpng. It is C because libpng reports errors by
 * longjmp, which must not cross Swift frames; what the samples mean is left to the caller.
 */
#ifndef CPNG_H
#define CPNG_H

#include <stddef.h>
#include <stdint.h>

/** cpng_image is a decoded picture: its samples as they stand in the file, palettes expanded. */
typedef struct cpng_image {
  uint32_t width, height;
  int channels;    /* 1 grey, 2 grey and alpha, 3 red green blue, 4 with alpha */
  int depth;       /* bits of a sample, 8 or 16; fewer are widened to 8 */
  uint8_t *samples; /* height * width * channels samples, row-major; 16-bit ones big-endian */
} cpng_image;

enum { CPNG_OK = 0, CPNG_FORMAT = 1, CPNG_MEMORY = 2 };

/** Pixels of a picture that is read, at most: no command takes larger ones. */
enum { CPNG_LARGEST_PIXEL_COUNT = 1 << 22 };

/** What messages have room for. */
enum { CPNG_MESSAGE_SIZE = 256 };

/**
 * cpng_read(bytes, byte_count, image, message) decodes a whole file in memory. On failure nothing
 * has to be freed and message says why, with the byte where reading stopped. More pixels than
 * CPNG_LARGEST_PIXEL_COUNT, and sizes that so few compressed bytes cannot fill, are refused before memory is taken.
 */
int cpng_read(const uint8_t *bytes, size_t byte_count, cpng_image *image, char message[CPNG_MESSAGE_SIZE]);

/**
 * cpng_write(samples, width, height, channels, bytes, byte_count, message) encodes 8-bit samples, of 1 to 4 channels as
 * in cpng_image; *bytes is cpng_free's.
 */
int cpng_write(const uint8_t *samples, uint32_t width, uint32_t height, int channels, uint8_t **bytes,
               size_t *byte_count, char message[CPNG_MESSAGE_SIZE]);

/** cpng_free(memory) frees samples or bytes; NULL does nothing. */
void cpng_free(uint8_t *memory);

#endif
