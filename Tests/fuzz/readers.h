/*
 * Everything that reads what comes from outside, as functions of bytes. Each opens what it is given and then uses
 * all of it, checks what must hold, and ends the process if that does not. The same readers serve libFuzzer
 * (harness.c) and the mutator (run.c).
 */
#ifndef READERS_H
#define READERS_H

#include "mutate.h"

/** A reader returns an ae_status: AE_OK if all of the bytes was accepted. */
typedef int32_t (*reader_function)(const uint8_t *bytes, size_t count);

typedef struct reader {
  const char *name;
  reader_function read;
  unsigned formats; /* bit by bit, those that it is for; mutated files of others it gets now and then */
  unsigned decides; /* those of them that count as accepted if it accepts */
} reader;

extern const reader readers[];
extern const size_t reader_count;

/**
 * readers_start(tests, seeds) opens the models of Tests/golden. With `seeds` NULL it makes seeds of every kind,
 * beside golden and attack files; else it takes the files of that folder, which readers_write has written.
 */
void readers_start(const char *tests, const char *seeds);

/** readers_write(folder) writes all seeds, those of a format into a folder of its name. */
void readers_write(const char *folder);

#endif
