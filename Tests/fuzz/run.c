/*
 * Gives mutated files to all readers and reports what they said: how many were accepted and refused, the slowest
 * input and the one that took the most memory. A child does the work, in memory that the parent sees; if it dies or
 * stands still, the parent keeps the input, counts a finding, and goes on with the next.
 *
 *   run TESTS FOLDER INPUTS SEED
 *   run TESTS FOLDER -f FILES...     gives files as they are to every reader, in this process
 *   run TESTS FOLDER -s              writes the seeds, for libFuzzer
 *
 * The same seed and number give the same inputs.
 */
#define _GNU_SOURCE
#include "readers.h"

#include <ae.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 8 << 20, STATUSES = 16, MOST_FINDINGS = 20, LONGEST_SECONDS = 60 };

typedef struct extreme {
  double value;
  uint64_t index;
  char reader[24];
  format format;
  size_t count;
  uint8_t bytes[1 << 20];
} extreme;

/* What child and parent share. */
typedef struct shared {
  volatile uint64_t index; /* the input at work */
  volatile double since;   /* and since when */
  const char *volatile reader;
  uint64_t inputs[FORMAT_COUNT], accepted[FORMAT_COUNT];
  uint64_t calls[32], statuses[32][STATUSES];
  double seconds[32];
  extreme slowest, largest;
  size_t count;
  uint8_t bytes[ROOM];
} shared;

static shared *board;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- Memory, as far as the sanitizer tells ---- */

static size_t in_use, peak;
extern int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void *, size_t), void (*)(const volatile void *))
    __attribute__((weak));
extern size_t __sanitizer_get_allocated_size(const volatile void *) __attribute__((weak));

static void on_malloc(const volatile void *memory, size_t count) {
  if (memory == NULL) return;
  in_use += count;
  if (in_use > peak) peak = in_use;
}
static void on_free(const volatile void *memory) {
  if (memory != NULL) in_use -= __sanitizer_get_allocated_size(memory);
}

static void keep(extreme *most, double value, uint64_t index, const char *reader, format format) {
  if (value <= most->value) return;
  most->value = value;
  most->index = index;
  most->format = format;
  snprintf(most->reader, sizeof most->reader, "%s", reader);
  most->count = board->count < sizeof most->bytes ? board->count : sizeof most->bytes;
  memcpy(most->bytes, board->bytes, most->count);
}

/* ---- One input ---- */

/* A number that is a function of two: SplitMix64's mixing. */
static uint64_t mix(uint64_t seed, uint64_t index) {
  uint64_t z = seed * 0xD1342543DE82EF95u + index * 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

static void make_input(uint64_t seed, uint64_t index) {
  /* Formats by how much there is to go wrong, then a seed of that format. */
  static const unsigned weights[FORMAT_COUNT] = {
      [FORMAT_WEIGHTS] = 24, [FORMAT_CHECKPOINT] = 10, [FORMAT_SET] = 28, [FORMAT_IDX] = 6, [FORMAT_NPY] = 8,
      [FORMAT_PGM] = 5,      [FORMAT_PNG] = 9,         [FORMAT_GZIP] = 6, [FORMAT_JSON] = 4};
  uint64_t random = mix(seed, index);
  unsigned draw = (unsigned)(random % 100);
  format wanted = 0;
  while (draw >= weights[wanted]) draw -= weights[wanted++];
  /* Where a format has no reader, sets are read. */
  unsigned readable = 0;
  for (size_t r = 0; r < reader_count; r++) readable |= readers[r].formats;
  if (!(readable >> wanted & 1)) wanted = FORMAT_SET;
  /* Mostly one that is sound: what is refused anyway shows little. */
  int is_sound = mix(random, 1) % 8 != 0;
  size_t at = (size_t)(mix(random, 2) % mutate_seed_count);
  for (size_t tries = 0; tries < 4000; tries++) {
    const seed_file *seed = &mutate_seeds[at];
    if (seed->format == wanted && (seed->is_sound || !is_sound)) break;
    at = (size_t)(mix(random, 3 + tries) % mutate_seed_count);
  }
  board->count = mutate(&mutate_seeds[at], mix(random, 0), board->bytes, ROOM);
}

/* Reads with those that it is for; with all, now and then. */
static void read_input(uint64_t index, const uint8_t *bytes, size_t count, int with_all) {
  format kind = format_of(bytes, count);
  int is_accepted = 0;
  for (size_t r = 0; r < reader_count; r++) {
    int is_meant = readers[r].formats >> kind & 1;
    if (!is_meant && !with_all) continue;
    double start = now();
    peak = in_use;
    board->reader = readers[r].name;
    int32_t status = readers[r].read(bytes, count);
    if (status < 0 || status >= STATUSES) {
      fprintf(stderr, "finding: %s: a status of %d\n", readers[r].name, (int)status);
      abort();
    }
    board->seconds[r] += now() - start;
    keep(&board->slowest, now() - start, index, readers[r].name, kind);
    keep(&board->largest, (double)(peak - in_use), index, readers[r].name, kind);
    if (!is_meant) continue;
    board->calls[r]++;
    board->statuses[r][status]++;
    if (status == AE_OK && (readers[r].decides >> kind & 1)) is_accepted = 1;
  }
  board->inputs[kind]++;
  board->accepted[kind] += (uint64_t)is_accepted;
}

static void work(uint64_t seed, uint64_t first, uint64_t end) {
  for (uint64_t i = first; i < end; i++) {
    board->index = i;
    board->reader = "mutator";
    board->since = now();
    make_input(seed, i);
    /* Exactly as long as it says, for the sanitizer to watch its ends. */
    uint8_t *copy = malloc(board->count > 0 ? board->count : 1);
    if (copy == NULL) exit(1);
    memcpy(copy, board->bytes, board->count);
    read_input(i, copy, board->count, i % 32 == 0);
    free(copy);
  }
}

/* ---- The parent ---- */

static void write_file(const char *folder, const char *name, const uint8_t *bytes, size_t count) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(bytes, 1, count, file) != count) fprintf(stderr, "fuzz: %s: %s\n", path, strerror(errno));
  if (file != NULL) fclose(file);
}

/* Waits for the child; ends it if an input takes too long. Returns how it ended, 0 if well. */
static const char *await(pid_t child) {
  static char what[80];
  int status, is_late = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    usleep(20000);
    if (!is_late && now() - board->since > LONGEST_SECONDS) {
      is_late = 1;
      kill(child, SIGKILL);
    }
  }
  if (is_late) snprintf(what, sizeof what, "takes more than %d s", LONGEST_SECONDS);
  else if (WIFSIGNALED(status)) snprintf(what, sizeof what, "ended by signal %d", WTERMSIG(status));
  else if (WEXITSTATUS(status) != 0) snprintf(what, sizeof what, "ended with status %d", WEXITSTATUS(status));
  else return NULL;
  return what;
}

static void report(uint64_t inputs, uint64_t findings, double seconds, const char *folder, uint64_t seed) {
  static const char *const names[STATUSES] = {"ok",      "argument", "memory", "io",      "format",   "checksum", "version",
                                              "kind",    "shape",    "model",  "buffer",  "stopped",  "diverged", "internal"};
  uint64_t total = 0, accepted = 0;
  for (int f = 0; f < FORMAT_COUNT; f++) {
    if (board->inputs[f] == 0) continue;
    printf("format   %-10s %8llu inputs, %5.1f %% accepted\n", format_names[f],
           (unsigned long long)board->inputs[f], 100.0 * (double)board->accepted[f] / (double)board->inputs[f]);
    total += board->inputs[f];
    accepted += board->accepted[f];
  }
  for (size_t r = 0; r < reader_count; r++) {
    if (board->calls[r] == 0) continue;
    printf("reader   %-15s %8llu inputs:", readers[r].name, (unsigned long long)board->calls[r]);
    for (int s = 0; s < STATUSES; s++)
      if (board->statuses[r][s] > 0)
        printf(" %s %.1f%%", names[s], 100.0 * (double)board->statuses[r][s] / (double)board->calls[r]);
    printf(" (%.1f s)\n", board->seconds[r]);
  }
  printf("slowest  %.0f ms: reader %s, a file of %zu bytes (%s, input %llu)\n", 1000 * board->slowest.value, board->slowest.reader,
         board->slowest.count, format_names[board->slowest.format], (unsigned long long)board->slowest.index);
  if (__sanitizer_install_malloc_and_free_hooks != NULL)
    printf("largest  %.1f MB: reader %s, a file of %zu bytes (%s, input %llu)\n", board->largest.value / 1e6, board->largest.reader,
           board->largest.count, format_names[board->largest.format], (unsigned long long)board->largest.index);
  char name[100];
  snprintf(name, sizeof name, "slowest-%s", format_names[board->slowest.format]);
  write_file(folder, name, board->slowest.bytes, board->slowest.count);
  snprintf(name, sizeof name, "largest-%s", format_names[board->largest.format]);
  write_file(folder, name, board->largest.bytes, board->largest.count);
  printf("%s %llu mutated files of %zu seeds (seed %llu): %llu findings; %.1f %% accepted (%.0f s, %.0f a second)\n",
         findings == 0 ? "ok      " : "NOT OK  ", (unsigned long long)inputs, mutate_seed_count, (unsigned long long)seed,
         (unsigned long long)findings, total > 0 ? 100.0 * (double)accepted / (double)total : 0, seconds,
         (double)inputs / (seconds > 0 ? seconds : 1));
  /* A mutator whose files all fall at the front door would show nothing. */
  if (total >= 5000 && accepted * 10 < total) printf("NOT OK   fewer than one mutated file in ten is accepted\n");
}

int main(int argc, char **argv) {
  if (argc < 4 || (argc < 5 && strcmp(argv[3], "-s") != 0)) {
    fprintf(stderr, "usage: run TESTS FOLDER INPUTS SEED | run TESTS FOLDER -f FILES... | run TESTS FOLDER -s\n");
    return 64;
  }
  board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (board == MAP_FAILED) return 1;
  readers_start(argv[1], NULL);
  if (strcmp(argv[3], "-s") == 0) {
    readers_write(argv[2]);
    return 0;
  }
  if (__sanitizer_install_malloc_and_free_hooks != NULL) __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
  if (strcmp(argv[3], "-f") == 0) {
    for (int i = 4; i < argc; i++) {
      FILE *file = fopen(argv[i], "rb");
      if (file == NULL) return 1;
      board->count = fread(board->bytes, 1, ROOM, file);
      fclose(file);
      uint8_t *copy = malloc(board->count > 0 ? board->count : 1);
      if (copy == NULL) return 1;
      memcpy(copy, board->bytes, board->count);
      read_input(0, copy, board->count, 1);
      free(copy);
    }
    printf("ok       %d files through all readers\n", argc - 4);
    return 0;
  }
  uint64_t inputs = strtoull(argv[3], NULL, 10), seed = strtoull(argv[4], NULL, 10), done = 0, findings = 0;
  double start = now();
  while (done < inputs && findings < MOST_FINDINGS) {
    board->since = now();
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) {
      work(seed, done, inputs);
      exit(0);
    }
    const char *end = await(child);
    if (end == NULL) {
      done = inputs;
      break;
    }
    char name[100];
    snprintf(name, sizeof name, "finding-%llu-%llu", (unsigned long long)seed, (unsigned long long)board->index);
    printf("NOT OK   input %llu: %s: %s; kept as %s/%s\n", (unsigned long long)board->index, board->reader, end, argv[2], name);
    write_file(argv[2], name, board->bytes, board->count);
    findings++;
    done = board->index + 1;
  }
  report(done, findings, now() - start, argv[2], seed);
  return findings > 0;
}
