/*
 * Changes files of every format that the project reads, so that what changed lies behind the front door: sizes,
 * checksums and hashes are made right again. mutate.c does it; run.c and harness.c call it.
 */
#ifndef MUTATE_H
#define MUTATE_H

#include <stddef.h>
#include <stdint.h>

/** Kinds of files, by their first bytes. */
typedef enum format {
  FORMAT_WEIGHTS,
  FORMAT_CHECKPOINT,
  FORMAT_SET,
  FORMAT_IDX,
  FORMAT_NPY,
  FORMAT_PGM,
  FORMAT_PNG,
  FORMAT_GZIP,
  FORMAT_JSON,
  FORMAT_COUNT
} format;

/** format_name(format) returns what reports call it. */
extern const char *const format_names[FORMAT_COUNT];

/** format_of(bytes, count) returns what kind of file the bytes begin as; what is nothing else is JSON. */
format format_of(const uint8_t *bytes, size_t count);

/** A file that changes start from and parts are taken from. */
typedef struct seed_file {
  uint8_t *bytes;
  size_t count;
  format format;
  int is_sound; /* its readers accept it */
} seed_file;

/** A model that sets may name: its shape, its hash, and itself as a decoder alone. */
typedef struct known_model {
  uint16_t width, height, latents;
  uint8_t hash[32];
  uint8_t *bytes;
  size_t count;
} known_model;

/** What mutate takes from: set before the first call. */
extern const seed_file *mutate_seeds;
extern size_t mutate_seed_count;
extern const known_model *mutate_models;
extern size_t mutate_model_count;

/** mutate_hash(bytes, count, hash) gives the hash of a weight file; 0 if it has none. The caller's. */
extern int (*mutate_hash)(const uint8_t *bytes, size_t count, uint8_t hash[32]);

/**
 * mutate(file, random, out, room) makes a file like `file` but for some changes, which `random` alone determines.
 * Returns its bytes, at most room.
 */
size_t mutate(const seed_file *file, uint64_t random, uint8_t *out, size_t room);

#endif
