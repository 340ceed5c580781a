/*
 * libFuzzer's door to the readers, all in one program: the environment's AE_FUZZ names the one to try, and
 * AE_FUZZ_SEEDS the folder of seeds. Files are changed as libFuzzer likes and, as often, by the mutator.
 */
#include "readers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const reader *chosen;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);
size_t LLVMFuzzerMutate(uint8_t *data, size_t count, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t count, size_t room, unsigned seed);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  const char *name = getenv("AE_FUZZ");
  (void)argc;
  (void)argv;
  for (size_t i = 0; name != NULL && i < reader_count; i++)
    if (strcmp(readers[i].name, name) == 0) chosen = &readers[i];
  if (chosen == NULL) {
    fprintf(stderr, "fuzz: AE_FUZZ must be one of:");
    for (size_t i = 0; i < reader_count; i++) fprintf(stderr, " %s", readers[i].name);
    fprintf(stderr, "\n");
    exit(64);
  }
  readers_start("Tests", getenv("AE_FUZZ_SEEDS"));
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count) {
  chosen->read(data, count);
  return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t count, size_t room, unsigned seed) {
  if (seed % 2 == 0) return LLVMFuzzerMutate(data, count, room);
  seed_file file = {data, count, format_of(data, count), 1};
  return mutate(&file, seed, data, room);
}
