/*
 * Sets written as a stream: their bytes are those of ae_compress, however the images come; sets from sets, by copying
 * blocks; and files that appear whole or not at all.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANY = 1200 };
static uint8_t many[MANY * SIZE], many_labels[MANY], images[MANY * SIZE], read_labels[MANY];
static char folder[] = "/tmp/libae-conformance-XXXXXX";

/* A place in the folder; a few may be asked for at once. */
static const char *place(const char *name) {
  static char paths[16][100];
  static int next;
  next = (next + 1) % 16;
  snprintf(paths[next], sizeof paths[next], "%s/%s", folder, name);
  return paths[next];
}

static size_t file_count(void) {
  DIR *directory = require(opendir(folder));
  const struct dirent *entry;
  size_t count = 0;
  while ((entry = readdir(directory)) != NULL) count += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
  closedir(directory);
  return count;
}

static ae_imageset_information info_of(const ae_imageset *set) {
  ae_imageset_information info;
  memset(&info, 0xEE, sizeof info);
  info.struct_size = sizeof info;
  if (ae_imageset_info(set, &info) != AE_OK) require(NULL);
  return info;
}

/* ---- Where bytes go ---- */

typedef struct sink {
  uint8_t *bytes;
  size_t size, room;
  int calls, fails_at;
} sink;

static int32_t take(void *context, const void *bytes, size_t byte_count) {
  sink *to = context;
  if (++to->calls == to->fails_at) return 1;
  if (to->room - to->size < byte_count) {
    to->room = 2 * (to->size + byte_count);
    to->bytes = require(realloc(to->bytes, to->room));
  }
  if (byte_count > 0) memcpy(to->bytes + to->size, bytes, byte_count);
  to->size += byte_count;
  return 0;
}

static ae_writer *writer_to(sink *to, const ae_model *model, const char *text) {
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, text);
  ae_writer *writer = NULL;
  if (ae_writer_create(NULL, model, options, take, to, &writer) != AE_OK) require(NULL);
  ae_options_free(options);
  return writer;
}

/* ae_compress of the first `count` of the many. */
static void *packed(const ae_model *model, size_t first, size_t count, int is_labelled, const char *text, size_t *size) {
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, text);
  const uint8_t *of = is_labelled ? many_labels + first : NULL;
  void *bytes;
  if (ae_compress(NULL, model, many + first * SIZE, count, of, options, NULL, 0, size) != AE_OK) require(NULL);
  bytes = require(malloc(*size));
  if (ae_compress(NULL, model, many + first * SIZE, count, of, options, bytes, *size, size) != AE_OK) require(NULL);
  ae_options_free(options);
  return bytes;
}

static void pack_file(const ae_model *model, size_t first, size_t count, int is_labelled, const char *text,
                      const char *path) {
  size_t size = 0;
  void *bytes = packed(model, first, count, is_labelled, text, &size);
  write_file(path, bytes, size);
  free(bytes);
}

static int same_file(const char *path, const void *bytes, size_t size) {
  size_t file_size = 0;
  void *file = read_file(path, &file_size);
  const int same = file_size == size && memcmp(file, bytes, size) == 0;
  free(file);
  return same;
}

static ae_status feed(ae_writer *writer, size_t first, size_t count, size_t step, int is_labelled) {
  ae_status status = AE_OK;
  for (size_t at = 0; at < count && status == AE_OK; at += step) {
    const size_t now = step < count - at ? step : count - at;
    status = ae_writer_add(writer, many + (first + at) * SIZE, now, is_labelled ? many_labels + first + at : NULL, NULL);
  }
  return status;
}

/* ---- The same bytes ---- */

static void test_same_bytes(void) {
  static const struct {
    const char *options;
    int is_labelled, needs_model;
  } manners[] = {{"", 0, 1},
                 {"block_images=16", 1, 1},
                 {"embed_model=true quality=1 block_images=100", 1, 1},
                 {"mode=lossless method=contexts", 0, 0},
                 {"mode=lossless method=contexts block_images=33", 1, 0},
                 {"mode=near-lossless max_error=3 method=contexts block_images=250", 0, 0}};
  static const size_t steps[] = {1, 7, 500, MANY};
  for (size_t m = 0; m < sizeof manners / sizeof *manners; m++) {
    size_t size = 0;
    void *bytes = packed(elu, 0, MANY, manners[m].is_labelled, manners[m].options, &size);
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
      sink to = {NULL, 0, 0, 0, 0};
      ae_writer *writer = writer_to(&to, elu, manners[m].options);
      const ae_status fed = feed(writer, 0, MANY, steps[s], manners[m].is_labelled);
      check(fed == AE_OK && ae_writer_finish(writer) == AE_OK && to.size == size && memcmp(to.bytes, bytes, size) == 0,
            "\"%s\" in steps of %zu: the bytes of ae_compress%s%s", manners[m].options, steps[s], fed == AE_OK ? "" : ": ",
            fed == AE_OK ? "" : ae_last_error());
      ae_writer_free(writer);
      free(to.bytes);
    }
    free(bytes);
  }
  {
    size_t size = 0;
    void *bytes = packed(elu, 0, 0, 0, "", &size);
    sink to = {NULL, 0, 0, 0, 0};
    ae_writer *writer = writer_to(&to, elu, "");
    check_status(ae_writer_add(writer, NULL, 0, NULL, NULL), AE_OK, "no images are added");
    check_status(ae_writer_finish(writer), AE_OK, "and finished");
    check(to.size == size && memcmp(to.bytes, bytes, size) == 0, "as ae_compress makes a set of none");
    ae_writer_free(writer);
    free(to.bytes);
    free(bytes);
  }
}

static void test_threads(void) {
  sink one = {NULL, 0, 0, 0, 0}, two = {NULL, 0, 0, 0, 0};
  ae_writer *writer;
  ae_set_threads(1);
  writer = writer_to(&one, elu, "block_images=64");
  if (feed(writer, 0, MANY, 300, 1) != AE_OK || ae_writer_finish(writer) != AE_OK) require(NULL);
  ae_writer_free(writer);
  ae_set_threads(2);
  writer = writer_to(&two, elu, "block_images=64");
  if (feed(writer, 0, MANY, 300, 1) != AE_OK || ae_writer_finish(writer) != AE_OK) require(NULL);
  ae_writer_free(writer);
  check(one.size == two.size && memcmp(one.bytes, two.bytes, one.size) == 0, "one thread and two write the same bytes");
  free(one.bytes);
  free(two.bytes);
}

/* ---- Labels and names ---- */

static void test_labels_and_names(void) {
  enum { FEW = 40 };
  static char texts[FEW][24];
  const char *names[FEW], *wrong[3];
  static const char *const bad[] = {"", "a/b", "..", ".", "not \xff UTF-8", "/"};
  sink to = {NULL, 0, 0, 0, 0};
  ae_writer *writer = writer_to(&to, elu, "mode=lossless method=contexts block_images=16");
  ae_imageset *set;
  char name[300];
  size_t size = 0;
  int same = 1;
  for (int i = 0; i < FEW; i++) {
    snprintf(texts[i], sizeof texts[i], "h\xc3\xa9llo-%d.png", i % 7 == 0 ? i * 100 : i);
    names[i] = texts[i];
  }
  check_status(ae_writer_add(writer, many, 7, many_labels, names), AE_OK, "images with labels and names");
  check_status(ae_writer_add(writer, many + 7 * SIZE, FEW - 7, many_labels + 7, names + 7), AE_OK, "and more");
  check_status(ae_writer_finish(writer), AE_OK, "to the end");
  ae_writer_free(writer);
  memset(texts[3], 0, sizeof texts[3]);
  snprintf(texts[3], sizeof texts[3], "h\xc3\xa9llo-3.png");
  set = opened_set(to.bytes, to.size, NULL);
  check(info_of(set).has_labels == 1 && info_of(set).has_names == 1 && info_of(set).count == FEW, "are all there");
  for (int i = 0; i < FEW; i++)
    same = same && ae_imageset_name(set, (uint64_t)i, name, sizeof name, &size) == AE_OK &&
           size == strlen(texts[i]) + 1 && strcmp(name, texts[i]) == 0;
  check(same, "with the names that they came with");
  check(ae_imageset_labels(set, 0, FEW, read_labels) == AE_OK && memcmp(read_labels, many_labels, FEW) == 0,
        "and the labels");
  check_status(ae_imageset_name(set, FEW, name, sizeof name, &size), AE_ERROR_ARGUMENT, "one name too many");
  check_status(ae_imageset_name(set, 0, name, 3, &size), AE_ERROR_BUFFER, "three bytes for a name");
  ae_imageset_free(set);
  free(to.bytes);

  /* For all or for none. A call that is refused adds nothing, and the writer goes on. */
  memset(&to, 0, sizeof to);
  writer = writer_to(&to, elu, "mode=lossless");
  if (ae_writer_add(writer, many, 5, many_labels, NULL) != AE_OK) require(NULL);
  check_status(ae_writer_add(writer, many, 5, NULL, NULL), AE_ERROR_ARGUMENT, "labels for some images alone");
  check(strstr(ae_last_error(), "label") != NULL, "is what is wrong: %s", ae_last_error());
  check_status(ae_writer_add(writer, many, 5, many_labels, names), AE_ERROR_ARGUMENT, "names for some alone");
  check(strstr(ae_last_error(), "name") != NULL, "is what is wrong: %s", ae_last_error());
  check_status(ae_writer_add(writer, NULL, 5, many_labels, NULL), AE_ERROR_ARGUMENT, "images NULL");
  check_status(ae_writer_add(writer, many, SIZE_MAX, many_labels, NULL), AE_ERROR_ARGUMENT, "SIZE_MAX images");
  check_status(ae_writer_add(writer, many, SIZE_MAX / SIZE, many_labels, NULL), AE_ERROR_ARGUMENT, "and fewer");
  check_status(ae_writer_add(writer, many + 5 * SIZE, 5, many_labels + 5, NULL), AE_OK, "after that it goes on");
  check_status(ae_writer_finish(writer), AE_OK, "to its end");
  ae_writer_free(writer);
  {
    void *bytes = packed(elu, 0, 10, 1, "mode=lossless", &size);
    check(to.size == size && memcmp(to.bytes, bytes, size) == 0, "and what was refused is not in it");
    free(bytes);
  }
  free(to.bytes);

  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    memset(&to, 0, sizeof to);
    writer = writer_to(&to, elu, "mode=lossless");
    wrong[0] = "good.png";
    wrong[1] = bad[i];
    wrong[2] = "also good.png";
    check_status(ae_writer_add(writer, many, 3, NULL, wrong), AE_ERROR_ARGUMENT, "a name of \"%s\"", bad[i]);
    check(ae_last_error()[0] != 0, "is refused: %s", ae_last_error());
    wrong[1] = NULL;
    check_status(ae_writer_add(writer, many, 3, NULL, wrong), AE_ERROR_ARGUMENT, "as is a name that is NULL");
    ae_writer_free(writer);
    free(to.bytes);
  }
}

/* ---- Wrong use, and callbacks that fail ---- */

static void test_order(void) {
  sink to = {NULL, 0, 0, 0, 0};
  ae_writer *writer = writer_to(&to, elu, "");
  size_t size;
  if (feed(writer, 0, 20, 20, 0) != AE_OK || ae_writer_finish(writer) != AE_OK) require(NULL);
  size = to.size;
  check_status(ae_writer_add(writer, many, 1, NULL, NULL), AE_ERROR_ARGUMENT, "images after the end");
  check_status(ae_writer_add(writer, NULL, 0, NULL, NULL), AE_ERROR_ARGUMENT, "even none of them");
  check_status(ae_writer_finish(writer), AE_ERROR_ARGUMENT, "another end");
  check(to.size == size, "write nothing");
  check_status(ae_writer_finish((ae_writer *)(void *)elu), AE_ERROR_ARGUMENT, "a model is no writer");
  ae_imageset_free((ae_imageset *)(void *)writer);
  ae_writer_free(writer);
  ae_writer_free(writer);
  check_status(ae_writer_add(writer, many, 1, NULL, NULL), AE_ERROR_ARGUMENT, "a writer that was freed");
  check_status(ae_writer_finish(writer), AE_ERROR_ARGUMENT, "cannot be finished");
  free(to.bytes);

  memset(&to, 0, sizeof to);
  writer = writer_to(&to, elu, "");
  if (feed(writer, 0, 20, 20, 0) != AE_OK) require(NULL);
  ae_writer_free(writer);
  check(1, "a writer may be freed before its end");
  free(to.bytes);
}

/* A callback that fails at its first call, its second, ... until it is called no more so often. */
static void test_failing_callbacks(void) {
  int tries = 0;
  for (int at = 1;; at++) {
    sink to = {NULL, 0, 0, 0, 0};
    ae_options *options = options_of(AE_OPTIONS_COMPRESSION, "mode=lossless method=contexts block_images=100");
    ae_writer *writer = NULL;
    ae_status status, after;
    to.fails_at = at;
    status = ae_writer_create(NULL, elu, options, take, &to, &writer);
    ae_options_free(options);
    if (status == AE_OK) status = feed(writer, 0, MANY, 150, 1);
    if (status == AE_OK) status = ae_writer_finish(writer);
    if (status == AE_OK) {
      ae_writer_free(writer);
      free(to.bytes);
      check(to.calls < at, "all calls have failed once (%d)", tries);
      break;
    }
    after = ae_writer_finish(writer);
    if (!check(status == AE_ERROR_IO && ae_last_error()[0] != 0 && to.calls == at && after != AE_OK,
               "a callback that fails at call %d ends it all: %s, then %s", at, ae_status_string(status),
               ae_status_string(after)))
      at = 1 << 20;
    tries++;
    ae_writer_free(writer);
    free(to.bytes);
  }
}

typedef struct counted {
  uint64_t done, count;
  int calls, stop, is_sound;
} counted;

static int32_t on_count(void *context, uint64_t done, uint64_t count) {
  counted *c = context;
  c->is_sound = c->is_sound && (count == 0 || done <= count);
  c->done = done;
  c->count = count;
  c->calls++;
  return c->stop;
}

/* Packing tells how far it is, and stops when it is asked to. */
static void test_progress(void) {
  counted c = {0, 0, 0, 0, 1};
  sink to = {NULL, 0, 0, 0, 0};
  const size_t count = 4000;
  uint8_t *noisy = require(malloc(count * SIZE));
  uint32_t noise = 1;
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, "mode=lossless");
  ae_writer *writer = NULL;
  for (size_t i = 0; i < count * SIZE; i++) noisy[i] = (uint8_t)((noise = noise * 1664525 + 1013904223) >> 24);
  writer = writer_to(&to, elu, "mode=lossless");
  check_status(ae_writer_set_progress(writer, on_count, &c), AE_OK, "somebody is told");
  check_status(ae_writer_add(writer, noisy, count, NULL, NULL), AE_OK, "how it goes");
  check_status(ae_writer_finish(writer), AE_OK, "to the end");
  check(c.calls >= 1 && c.is_sound && c.done <= count, "of so many images, never fewer (%d calls)", c.calls);
  ae_writer_free(writer);
  free(to.bytes);
  memset(&to, 0, sizeof to);
  writer = writer_to(&to, elu, "mode=lossless");
  c.calls = 0;
  if (ae_writer_set_progress(writer, on_count, &c) != AE_OK || ae_writer_set_progress(writer, NULL, NULL) != AE_OK ||
      ae_writer_add(writer, noisy, 400, NULL, NULL) != AE_OK || ae_writer_finish(writer) != AE_OK)
    require(NULL);
  check(c.calls == 0, "nobody any more");
  ae_writer_free(writer);
  free(to.bytes);

  write_file(place("stopped"), "as it was", 9);
  if (ae_writer_create_file(NULL, elu, options, place("stopped"), &writer) != AE_OK) require(NULL);
  c.stop = 1;
  c.calls = 0;
  if (ae_writer_set_progress(writer, on_count, &c) != AE_OK) require(NULL);
  {
    ae_status status = ae_writer_add(writer, noisy, count, NULL, NULL);
    if (status == AE_OK) status = ae_writer_finish(writer);
    check(status == AE_ERROR_STOPPED, "stops when asked: %s", ae_status_string(status));
    check(c.calls == 1, "at once (%d calls, after %d images)", c.calls, (int)c.done);
  }
  ae_writer_free(writer);
  check(same_file(place("stopped"), "as it was", 9), "and the file is as it was");
  unlink(place("stopped"));
  check(file_count() == 0, "with nothing beside it");
  ae_options_free(options);
  free(noisy);
}

/* ---- Files ---- */

static void test_files(void) {
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, "block_images=64");
  ae_writer *writer = NULL;
  size_t size = 0;
  void *bytes = packed(elu, 0, MANY, 1, "block_images=64", &size);
  struct stat status;
  const char *path = place("set.aez"), *none = place("none/set.aez");
  check_status(ae_writer_create_file(NULL, elu, options, path, &writer), AE_OK, "a writer to a file");
  ae_options_free(options); /* may go */
  check_status(feed(writer, 0, MANY, 130, 1), AE_OK, "takes images");
  check(stat(path, &status) != 0 && errno == ENOENT, "and shows no file before its end");
  check_status(ae_writer_finish(writer), AE_OK, "ends");
  check(same_file(path, bytes, size), "and there it is, with ae_compress's bytes");
  ae_writer_free(writer);
  check(same_file(path, bytes, size) && file_count() == 1, "also when the writer is gone, and no other file");

  write_file(path, "old", 3);
  if (chmod(path, 0600) != 0 || symlink("set.aez", place("link")) != 0) require(NULL);
  if (ae_writer_create_file(NULL, elu, NULL, path, &writer) != AE_OK) require(NULL);
  if (feed(writer, 0, MANY, 500, 0) != AE_OK) require(NULL);
  ae_writer_free(writer);
  check(same_file(path, "old", 3) && file_count() == 2, "freed before its end it leaves the file as it was");
  if (ae_writer_create_file(NULL, elu, NULL, place("link"), &writer) != AE_OK || feed(writer, 0, 50, 50, 0) != AE_OK)
    require(NULL);
  check_status(ae_writer_finish(writer), AE_OK, "through a link");
  ae_writer_free(writer);
  check(lstat(place("link"), &status) == 0 && S_ISLNK(status.st_mode) && stat(path, &status) == 0 &&
            (status.st_mode & 0777) == 0600,
        "which stays one, and the file its permissions");
  {
    ae_status came = ae_writer_create_file(NULL, elu, NULL, none, &writer);
    check(came == AE_ERROR_IO && writer == NULL && ae_last_errno() == ENOENT && strstr(ae_last_error(), none) != NULL,
          "a folder that is not there is ENOENT, from the start: %s", ae_last_error());
    if (came == AE_OK) ae_writer_free(writer);
    came = ae_writer_create_file(NULL, elu, NULL, folder, &writer);
    check(came == AE_ERROR_IO && ae_last_errno() == EISDIR, "a folder is EISDIR: %s", ae_last_error());
    if (came == AE_OK) ae_writer_free(writer);
  }
  if (ae_writer_create_file(NULL, elu, NULL, "/dev/null", &writer) != AE_OK || feed(writer, 0, 50, 50, 0) != AE_OK)
    require(NULL);
  check_status(ae_writer_finish(writer), AE_OK, "a device is written to");
  ae_writer_free(writer);
  if (ae_writer_create_file(NULL, elu, NULL, "/dev/full", &writer) == AE_OK) {
    ae_status came = feed(writer, 0, MANY, 100, 0);
    if (came == AE_OK) came = ae_writer_finish(writer);
    check(came == AE_ERROR_IO && ae_last_errno() == ENOSPC, "a full one is ENOSPC");
    ae_writer_free(writer);
  }
  unlink(place("link"));
  unlink(path);
  check(file_count() == 0, "nothing is left in the folder");
  free(bytes);
}

/* Going on with a set in a file. */
static void test_append(void) {
  const char *path = place("set.aez");
  size_t size = 0, old_size = 0;
  void *bytes = packed(elu, 0, 200, 1, "block_images=32", &size), *old;
  ae_writer *writer = NULL;
  ae_imageset *set = NULL;
  pack_file(elu, 0, 96, 1, "block_images=32", path);
  check_status(ae_writer_append_file(NULL, path, elu, &writer), AE_OK, "a set of whole blocks goes on");
  check_status(feed(writer, 96, 104, 10, 1), AE_OK, "with more images");
  old = read_file(path, &old_size);
  check(old_size < size, "the file is as it was");
  check_status(ae_writer_finish(writer), AE_OK, "until the end");
  ae_writer_free(writer);
  check(same_file(path, bytes, size), "then it is that of one run");
  free(old);

  old = read_file(path, &old_size);
  if (ae_writer_append_file(NULL, path, elu, &writer) != AE_OK || feed(writer, 0, 100, 100, 1) != AE_OK) require(NULL);
  ae_writer_free(writer);
  check(same_file(path, old, old_size) && file_count() == 1, "a writer freed before its end adds nothing");
  if (ae_writer_append_file(NULL, path, elu, &writer) != AE_OK) require(NULL);
  check_status(ae_writer_add(writer, many, 5, NULL, NULL), AE_ERROR_ARGUMENT, "images without labels to those with");
  check_status(ae_writer_finish(writer), AE_OK, "none are added");
  ae_writer_free(writer);
  check(same_file(path, old, old_size), "and it is the same set");
  free(old);
  free(bytes);

  /* Off the ends of blocks: all images, whatever the blocks are. */
  pack_file(elu, 0, 50, 0, "mode=lossless block_images=32", path);
  for (int round = 1; round <= 3; round++) {
    if (ae_writer_append_file(NULL, path, elu, &writer) != AE_OK ||
        feed(writer, (size_t)round * 50, 50, 50, 0) != AE_OK || ae_writer_finish(writer) != AE_OK)
      require(NULL);
    ae_writer_free(writer);
  }
  if (check_status(ae_imageset_open(NULL, path, NULL, &set), AE_OK, "a set that grew three times")) {
    check(info_of(set).count == 200 && info_of(set).mode == AE_MODE_LOSSLESS && info_of(set).block_images == 32,
          "has all images");
    check(ae_imageset_read(set, 0, 200, images) == AE_OK && memcmp(images, many, 200 * SIZE) == 0, "as they came");
    check(ae_imageset_read(set, 49, 3, images) == AE_OK && memcmp(images, many + 49 * SIZE, 3 * SIZE) == 0,
          "also about the seams");
    ae_imageset_free(set);
  }
  pack_file(elu, 0, 50, 0, "", path);
  check_status(ae_writer_append_file(NULL, path, vae, &writer), AE_ERROR_MODEL, "a set of another model");
  check(writer == NULL, "has no writer");
  check_status(ae_writer_append_file(NULL, place("none"), elu, &writer), AE_ERROR_IO, "a set that is not there");
  check(ae_last_errno() == ENOENT, "is ENOENT");
  write_file(path, "no set at all, but some bytes", 29);
  check_status(ae_writer_append_file(NULL, path, elu, &writer), AE_ERROR_FORMAT, "what is no set");
  check(same_file(path, "no set at all, but some bytes", 29), "is left alone");
  unlink(path);
  check(file_count() == 0, "nothing is left in the folder");
}

/* ---- Sets of sets ---- */

static void test_add_set(void) {
  size_t size = 0, all_size = 0;
  void *bytes = packed(elu, 0, 200, 1, "block_images=32", &size), *all = packed(elu, 0, 400, 1, "block_images=32", &all_size);
  ae_imageset *set = opened_set(bytes, size, elu), *other;
  sink to = {NULL, 0, 0, 0, 0};
  ae_writer *writer = NULL;
  void *others;
  size_t other_size = 0;
  /* [0, 192) copied, [192, 400) coded: the bytes of one run. */
  check_status(ae_writer_create_like(NULL, set, take, &to, &writer), AE_OK, "a writer like a set");
  check_status(ae_writer_add_set(writer, set, 0, 96), AE_OK, "takes blocks of it");
  check_status(ae_writer_add_set(writer, set, 96, 96), AE_OK, "and more");
  check_status(feed(writer, 192, 208, 25, 1), AE_OK, "and images");
  check_status(ae_writer_finish(writer), AE_OK, "to the end");
  check(to.size == all_size && memcmp(to.bytes, all, all_size) == 0, "and has the bytes of one run");
  ae_writer_free(writer);
  free(to.bytes);

  memset(&to, 0, sizeof to);
  if (ae_writer_create_like(NULL, set, take, &to, &writer) != AE_OK) require(NULL);
  check_status(ae_writer_add_set(writer, set, 0, 200), AE_OK, "a whole set, its short block last");
  check_status(ae_writer_add_set(writer, set, 160, 40), AE_OK, "and its end again, which is no whole block");
  check_status(ae_writer_add_set(writer, set, 200, 0), AE_OK, "nothing from its end");
  check_status(ae_writer_add_set(writer, set, 0, 0), AE_OK, "nor from its start");
  check_status(ae_writer_add_set(writer, set, 0, 16), AE_ERROR_ARGUMENT, "half a block");
  check(strstr(ae_last_error(), "32") != NULL || strstr(ae_last_error(), " 0") != NULL, "names the nearest end: %s",
        ae_last_error());
  check_status(ae_writer_add_set(writer, set, 31, 33), AE_ERROR_ARGUMENT, "from the middle of a block");
  check(strstr(ae_last_error(), "32") != NULL, "names the nearest start: %s", ae_last_error());
  check_status(ae_writer_add_set(writer, set, 192, 9), AE_ERROR_ARGUMENT, "more than there is");
  check_status(ae_writer_add_set(writer, set, UINT64_MAX, 2), AE_ERROR_ARGUMENT, "from UINT64_MAX");
  check_status(ae_writer_add_set(writer, set, 32, UINT64_MAX), AE_ERROR_ARGUMENT, "UINT64_MAX images");
  check_status(ae_writer_add_set(writer, NULL, 0, 32), AE_ERROR_ARGUMENT, "of no set");
  check_status(ae_writer_add_set(writer, (ae_imageset *)(void *)elu, 0, 32), AE_ERROR_ARGUMENT, "of a model");
  check_status(ae_writer_add_set((ae_writer *)(void *)set, set, 0, 32), AE_ERROR_ARGUMENT, "to a set");

  /* What is not the writer's: another size, model, mode, quality; labels or none. */
  others = packed(vae, 0, 40, 1, "", &other_size);
  other = opened_set(others, other_size, vae);
  check_status(ae_writer_add_set(writer, other, 0, 40), AE_ERROR_MODEL, "a set of another model");
  ae_imageset_free(other);
  free(others);
  others = packed(elu, 0, 40, 1, "mode=lossless", &other_size);
  other = opened_set(others, other_size, NULL);
  {
    const ae_status status = ae_writer_add_set(writer, other, 0, 40);
    check(status == AE_ERROR_ARGUMENT, "a set of another mode: %s", ae_last_error());
  }
  ae_imageset_free(other);
  free(others);
  others = packed(elu, 0, 40, 1, "quality=1", &other_size);
  other = opened_set(others, other_size, elu);
  {
    const ae_status status = ae_writer_add_set(writer, other, 0, 40);
    check(status == AE_ERROR_ARGUMENT, "a set of another quality: %s", ae_last_error());
  }
  ae_imageset_free(other);
  free(others);
  others = packed(elu, 0, 40, 0, "", &other_size);
  other = opened_set(others, other_size, elu);
  check_status(ae_writer_add_set(writer, other, 0, 40), AE_ERROR_ARGUMENT, "a set without labels");
  ae_imageset_free(other);
  free(others);
  others = packed(NULL, 0, 40, 1, "mode=lossless width=12 height=16", &other_size);
  other = opened_set(others, other_size, NULL);
  {
    const ae_status status = ae_writer_add_set(writer, other, 0, 40);
    check(status == AE_ERROR_ARGUMENT, "a set of another size: %s", ae_last_error());
  }
  ae_imageset_free(other);
  free(others);
  check_status(ae_writer_finish(writer), AE_OK, "all of which does no harm");
  check_status(ae_writer_add_set(writer, set, 0, 32), AE_ERROR_ARGUMENT, "a set after the end");
  ae_writer_free(writer);
  other = opened_set(to.bytes, to.size, elu);
  check(info_of(other).count == 240, "240 images came");
  {
    static uint8_t expected[240 * SIZE], came[240 * SIZE];
    if (ae_imageset_read(set, 0, 200, expected) != AE_OK || ae_imageset_read(set, 160, 40, expected + 200 * SIZE) != AE_OK ||
        ae_imageset_read(other, 0, 240, came) != AE_OK || ae_imageset_labels(other, 0, 240, read_labels) != AE_OK)
      require(NULL);
    check(memcmp(expected, came, sizeof came) == 0, "which are the sets' own");
    check(memcmp(read_labels, many_labels, 200) == 0 && memcmp(read_labels + 200, many_labels + 160, 40) == 0,
          "with their labels");
  }
  ae_imageset_free(other);
  free(to.bytes);

  /* Images that wait for their block to fill come before a set that is added after them. */
  memset(&to, 0, sizeof to);
  if (ae_writer_create_like(NULL, set, take, &to, &writer) != AE_OK) require(NULL);
  if (feed(writer, 200, 10, 3, 1) != AE_OK || ae_writer_add_set(writer, set, 32, 64) != AE_OK ||
      feed(writer, 210, 10, 10, 1) != AE_OK || ae_writer_finish(writer) != AE_OK)
    require(NULL);
  ae_writer_free(writer);
  other = opened_set(to.bytes, to.size, elu);
  check(info_of(other).count == 84 && ae_imageset_labels(other, 0, 84, read_labels) == AE_OK &&
            memcmp(read_labels, many_labels + 200, 10) == 0 && memcmp(read_labels + 10, many_labels + 32, 64) == 0 &&
            memcmp(read_labels + 74, many_labels + 210, 10) == 0,
        "images and sets keep their order");
  ae_imageset_free(other);
  ae_imageset_free(set);
  free(to.bytes);
  free(all);
  free(bytes);
}

/* A writer like a set packs as the set was packed, in each mode. */
static void test_create_like(void) {
  static const char *const manners[] = {"quality=2 block_images=48", "mode=lossless method=contexts block_images=48",
                                        "mode=near-lossless max_error=7 method=contexts block_images=48"};
  for (size_t m = 0; m < sizeof manners / sizeof *manners; m++) {
    sink to = {NULL, 0, 0, 0, 0};
    size_t size = 0;
    void *bytes = packed(elu, 0, 100, 1, manners[m], &size);
    ae_imageset *set = opened_set(bytes, size, elu);
    ae_writer *writer = NULL;
    check_status(ae_writer_create_like(NULL, set, take, &to, &writer), AE_OK, "a writer like one of %s", manners[m]);
    ae_imageset_free(set); /* may go */
    check_status(feed(writer, 0, 100, 9, 1), AE_OK, "takes its images");
    check_status(ae_writer_finish(writer), AE_OK, "to the end");
    check(to.size == size && memcmp(to.bytes, bytes, size) == 0, "and writes its bytes");
    ae_writer_free(writer);
    free(to.bytes);
    free(bytes);
  }
}

enum { SHARDS = 10 };

static void test_concatenate(const char *text, int is_labelled) {
  const char *paths[SHARDS], *out = place("all.aez");
  char names[SHARDS][100];
  const size_t each = 128; /* whole blocks */
  size_t size = 0;
  void *bytes = packed(elu, 0, MANY, is_labelled, text, &size);
  for (size_t i = 0; i < SHARDS; i++) {
    snprintf(names[i], sizeof names[i], "%s/shard-%d.aez", folder, (int)i);
    paths[i] = names[i];
    pack_file(elu, i * each, i + 1 < SHARDS ? each : MANY - i * each, is_labelled, text, paths[i]);
  }
  if (!check_status(ae_concatenate_files(NULL, paths, SHARDS, out), AE_OK, "%d shards, \"%s\"", SHARDS, text)) {
    for (size_t i = 0; i < SHARDS; i++) unlink(paths[i]);
    free(bytes);
    return;
  }
  check(same_file(out, bytes, size), "make the bytes of one run");
  check_status(ae_concatenate_files(NULL, paths + 3, 1, out), AE_OK, "one shard");
  {
    size_t shard_size = 0;
    void *shard = read_file(paths[3], &shard_size);
    check(same_file(out, shard, shard_size), "makes itself");
    free(shard);
  }
  check_status(ae_concatenate_files(NULL, paths, SHARDS, paths[0]), AE_OK, "over the first of them");
  check(same_file(paths[0], bytes, size), "makes the same bytes");

  /* And taken apart again. */
  check_status(ae_split_file(NULL, paths[0], 0, 640, place("a.aez")), AE_OK, "the first half");
  check_status(ae_split_file(NULL, paths[0], 640, MANY - 640, place("b.aez")), AE_OK, "and the second");
  paths[1] = place("a.aez");
  paths[2] = place("b.aez");
  check_status(ae_concatenate_files(NULL, paths + 1, 2, out), AE_OK, "are one again");
  check(same_file(out, bytes, size), "with the bytes of one run");
  check_status(ae_split_file(NULL, paths[0], 256, 128, place("a.aez")), AE_OK, "a piece");
  {
    size_t shard_size = 0;
    void *shard = read_file(names[2], &shard_size);
    check(same_file(place("a.aez"), shard, shard_size), "which is the shard");
    free(shard);
  }
  check_status(ae_split_file(NULL, paths[0], MANY, 0, place("a.aez")), AE_OK, "a piece of nothing");
  unlink(place("a.aez"));
  check_status(ae_split_file(NULL, paths[0], 1, 128, place("a.aez")), AE_ERROR_ARGUMENT, "a piece off the blocks' ends");
  check_status(ae_split_file(NULL, paths[0], 0, MANY + 1, place("a.aez")), AE_ERROR_ARGUMENT, "and beyond the end");
  check_status(ae_split_file(NULL, paths[0], UINT64_MAX, 2, place("a.aez")), AE_ERROR_ARGUMENT, "and far beyond it");
  check_status(ae_split_file(NULL, place("none"), 0, 0, place("a.aez")), AE_ERROR_IO, "of a file that is not there");
  check(ae_last_errno() == ENOENT && access(place("a.aez"), F_OK) != 0, "which makes none");
  for (size_t i = 0; i < SHARDS; i++) unlink(names[i]);
  unlink(place("b.aez"));
  unlink(out);
  check(file_count() == 0, "nothing is left in the folder");
  free(bytes);
}

/* Shards that do not go together, and that leave what was there. */
static void test_unlike_shards(void) {
  const char *paths[2] = {place("a.aez"), place("b.aez")}, *out = place("all.aez");
  static const struct {
    const char *options;
    int is_labelled, of_vae;
  } unlike[] = {{"quality=1", 0, 0}, {"mode=lossless", 0, 0}, {"", 1, 0}, {"", 0, 1}};
  uint8_t *bytes;
  size_t size = 0;
  write_file(out, "old", 3);
  pack_file(elu, 0, 40, 0, "", paths[0]);
  for (size_t i = 0; i < sizeof unlike / sizeof *unlike; i++) {
    ae_status status;
    pack_file(unlike[i].of_vae ? vae : elu, 40, 40, unlike[i].is_labelled, unlike[i].options, paths[1]);
    status = ae_concatenate_files(NULL, paths, 2, out);
    check((status == AE_ERROR_MODEL || status == AE_ERROR_SHAPE || status == AE_ERROR_ARGUMENT) &&
              strstr(ae_last_error(), paths[1]) != NULL && same_file(out, "old", 3),
          "shard %zu that is unlike the first is refused by name, and the file left as it was: %s", i, ae_last_error());
  }
  /* A block that is damaged is found: what is copied is checked. */
  pack_file(elu, 40, 40, 0, "", paths[1]);
  bytes = read_file(paths[1], &size);
  {
    size_t fewer_size = 0;
    void *fewer = packed(elu, 40, 0, 0, "", &fewer_size);
    bytes[in_last_block(bytes, size, fewer, fewer_size)] ^= 0x10;
    free(fewer);
  }
  write_file(paths[1], bytes, size);
  check_status(ae_concatenate_files(NULL, paths, 2, out), AE_ERROR_CHECKSUM, "a shard with a damaged block");
  check(strstr(ae_last_error(), paths[1]) != NULL && same_file(out, "old", 3), "is named, and leaves the file: %s",
        ae_last_error());
  write_file(paths[1], bytes, size / 2);
  check(ae_concatenate_files(NULL, paths, 2, out) != AE_OK && same_file(out, "old", 3), "a shard cut short: %s",
        ae_last_error());
  free(bytes);
  unlink(paths[1]);
  check_status(ae_concatenate_files(NULL, paths, 2, out), AE_ERROR_IO, "a shard that is not there");
  check(ae_last_errno() == ENOENT && same_file(out, "old", 3), "is ENOENT, and leaves the file");
  unlink(paths[0]);
  unlink(out);
  check(file_count() == 0, "nothing is left in the folder");
}

/* Names go with their images, from set to set. */
static void test_names_travel(void) {
  const char *paths[2] = {place("a.aez"), place("b.aez")}, *out = place("all.aez"), *names[4];
  static char texts[8][16];
  ae_imageset *set = NULL;
  char name[64];
  size_t size = 0;
  int same = 1;
  for (int half = 0; half < 2; half++) {
    ae_writer *writer = NULL;
    for (int i = 0; i < 4; i++) {
      snprintf(texts[half * 4 + i], sizeof texts[0], "%d.png", half * 4 + i);
      names[i] = texts[half * 4 + i];
    }
    if (ae_writer_create_file(NULL, elu, NULL, paths[half], &writer) != AE_OK ||
        ae_writer_add(writer, many + half * 4 * SIZE, 4, NULL, names) != AE_OK || ae_writer_finish(writer) != AE_OK)
      require(NULL);
    ae_writer_free(writer);
  }
  if (!check_status(ae_concatenate_files(NULL, paths, 2, out), AE_OK, "sets with names are concatenated")) return;
  if (ae_imageset_open(NULL, out, elu, &set) != AE_OK) require(NULL);
  for (uint64_t i = 0; i < 8; i++)
    same = same && ae_imageset_name(set, i, name, sizeof name, &size) == AE_OK && strcmp(name, texts[i]) == 0;
  check(same, "and keep them");
  ae_imageset_free(set);
  check_status(ae_split_file(NULL, out, 4, 4, paths[0]), AE_OK, "and are split");
  {
    size_t file_size = 0;
    void *file = read_file(paths[1], &file_size);
    check(same_file(paths[0], file, file_size), "into what they were made of");
    free(file);
  }
  unlink(paths[0]);
  unlink(paths[1]);
  unlink(out);
}

void test_writers(void) {
  for (size_t i = 0; i < MANY; i++) {
    const size_t of = i % COUNT, by = i / COUNT;
    /* The images again, each time shifted. */
    for (size_t p = 0; p < SIZE; p++) many[i * SIZE + p] = pixels[of * SIZE + (p + by) % SIZE];
    many_labels[i] = (uint8_t)(i * 7);
  }
  if (mkdtemp(folder) == NULL) require(NULL);
  test_same_bytes();
  test_threads();
  test_labels_and_names();
  test_order();
  test_failing_callbacks();
  test_progress();
  test_files();
  test_append();
  test_add_set();
  test_create_like();
  test_concatenate("block_images=64", 1);
  test_concatenate("mode=lossless method=contexts block_images=128", 0);
  test_unlike_shards();
  test_names_travel();
  check(rmdir(folder) == 0, "nothing is left");
}
