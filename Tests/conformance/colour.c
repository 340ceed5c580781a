/* Image sets of 3 and 4 channels and of larger sides: what they give back, and what is refused. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PICTURES = 12, LARGEST = 256 * 256 * 3 };
static uint8_t pictures[PICTURES * LARGEST], back[PICTURES * LARGEST];

static char folder[] = "/tmp/libae-conformance-XXXXXX";

static const char *place(const char *name) {
  static char paths[8][100];
  static int next;
  next = (next + 1) % 8;
  snprintf(paths[next], sizeof paths[next], "%s/%s", folder, name);
  return paths[next];
}

static ae_imageset_information info_of(const ae_imageset *set) {
  ae_imageset_information info;
  memset(&info, 0xEE, sizeof info);
  info.struct_size = sizeof info;
  if (ae_imageset_info(set, &info) != AE_OK) require(NULL);
  return info;
}

static const char *shape_text(int width, int height, int channels, const char *more) {
  static char text[200];
  snprintf(text, sizeof text, "width=%d height=%d channels=%d %s", width, height, channels, more);
  return text;
}

/* A set of `count` pictures that begin at byte `first`. */
static void *packed(size_t first, size_t count, const char *text, size_t *size) {
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, text);
  size_t bound = 0;
  void *bytes;
  if (ae_compress_bound(NULL, NULL, count, options, &bound) != AE_OK) require(NULL);
  bytes = require(malloc(bound));
  if (ae_compress(NULL, NULL, pictures + first, count, NULL, options, bytes, bound, size) != AE_OK) require(NULL);
  ae_options_free(options);
  return bytes;
}

/* What an option's text, set one by one, or a bound is refused with; AE_OK if neither is. */
static ae_status refused(const ae_model *model, const char *text) {
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, text);
  size_t size = 0;
  const ae_status status = ae_compress_bound(NULL, model, 3, options, &size);
  ae_options_free(options);
  return status;
}

/* ---- What comes back ---- */

static void test_shapes(void) {
  static const struct {
    int width, height, channels;
    size_t count;
    const char *options;
    int max_error;
  } sets[] = {{32, 32, 3, 12, "mode=lossless", 0},      {32, 32, 4, 12, "mode=lossless block_images=5", 0},
              {7, 5, 3, 12, "max_error=4", 4},          {256, 256, 3, 2, "mode=lossless method=contexts block_images=1", 0},
              {256, 192, 4, 1, "max_error=2 method=contexts", 2},       {256, 256, 1, 1, "mode=lossless method=contexts", 0},
              {1, 256, 4, 5, "mode=lossless", 0},       {256, 1, 1, 5, "mode=lossless", 0},
              {1, 1, 3, 12, "mode=lossless", 0},        {65, 65, 1, 3, "max_error=7", 7},
              {28, 28, 3, 6, "mode=lossless", 0},       {30, 20, 3, 0, "mode=lossless", 0}};
  for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
    const int width = sets[s].width, height = sets[s].height, channels = sets[s].channels;
    const size_t image = (size_t)width * (size_t)height * (size_t)channels, count = sets[s].count;
    const char *text = shape_text(width, height, channels, sets[s].options);
    ae_imageset_information info;
    ae_imageset *set;
    size_t size = 0;
    int worst = 0, alone = 1;
    void *bytes = packed(0, count, text, &size);
    set = opened_set(bytes, size, NULL);
    info = info_of(set);
    check(info.width == width && info.height == height && info.channels == channels && info.count == count &&
              info.needs_model == (info.needs_predictor != 0) && info.quality == 0,
          "%s: tells its shape", text);
    memset(back, 0xA5, sizeof back);
    check_status(ae_imageset_read(set, 0, count, back), AE_OK, "and reads");
    for (size_t i = 0; i < count * image; i++) {
      const int off = abs(back[i] - pictures[i]);
      worst = off > worst ? off : worst;
    }
    check(worst <= sets[s].max_error && back[count * image] == 0xA5, "every byte to within %d, and none behind them",
          sets[s].max_error);
    for (size_t i = 0; i < count; i++) {
      uint8_t *one = require(malloc(image));
      alone = alone && ae_imageset_read(set, i, 1, one) == AE_OK && memcmp(one, back + i * image, image) == 0;
      free(one);
    }
    check(alone, "and every image alone");
    ae_imageset_free(set);
    free(bytes);
  }
}

/* ---- What is refused ---- */

static void test_refusals(void) {
  static const char *const numbers[] = {"0", "2", "5", "-1", "three", "257"};
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, "");
  size_t size = 0;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    check(ae_options_set(options, "channels", numbers[i]) == AE_ERROR_ARGUMENT &&
              strstr(ae_last_error(), "1, 3 or 4") != NULL,
          "channels=%s: %s", numbers[i], ae_last_error());
  check_status(ae_options_set_integer(options, "channels", 2), AE_ERROR_ARGUMENT, "2 as a number");
  check_status(ae_options_set(options, "width", "257"), AE_ERROR_ARGUMENT, "a width of 257");
  check_status(ae_options_set(options, "height", "257"), AE_ERROR_ARGUMENT, "a height of 257");
  check_status(ae_options_set(options, "channels", "auto"), AE_OK, "channels as the model has them");
  ae_options_free(options);

  check_status(refused(NULL, "mode=lossless width=256 height=256 channels=4"), AE_ERROR_ARGUMENT,
               "262144 bytes an image");
  check(strstr(ae_last_error(), "196608") != NULL, "names the limit: %s", ae_last_error());
  check_status(refused(NULL, "mode=lossless width=222 height=222 channels=4"), AE_ERROR_ARGUMENT, "197136 bytes");
  check_status(refused(NULL, "mode=lossless width=221 height=221 channels=4"), AE_OK, "195364 bytes are taken");
  for (int by_model = 0; by_model < 2; by_model++) {
    const ae_model *model = by_model ? elu : NULL;
    check_status(refused(model, "channels=3"), AE_ERROR_SHAPE, "a lossy set in colour");
    check(strstr(ae_last_error(), "x 3") != NULL && strstr(ae_last_error(), "the model") != NULL,
          "says what takes colour: %s", ae_last_error());
    check_status(refused(model, "channels=4 quality=2"), AE_ERROR_SHAPE, "with a quality");
    check_status(refused(model, "channels=3 bytes_per_image=9"), AE_ERROR_SHAPE, "with a rate");
    check_status(refused(model, "channels=3 mode=lossless preview=true"), AE_ERROR_SHAPE, "previews in colour");
  }
  check_status(refused(elu, "width=65"), AE_ERROR_SHAPE, "a lossy set of larger images than the model's");
  check_status(refused(elu, "channels=3 mode=lossless method=scans"), AE_ERROR_KIND, "scans of colour");
  {
    /* What is too large to count, in bytes of the images. */
    options = options_of(AE_OPTIONS_COMPRESSION, "mode=lossless width=256 height=256 channels=3");
    check_status(ae_compress(NULL, NULL, pictures, SIZE_MAX / LARGEST, NULL, options, NULL, 0, &size), AE_ERROR_ARGUMENT,
                 "as many images as a size_t can count bytes of");
    check_status(ae_compress(NULL, NULL, NULL, 1, NULL, options, NULL, 0, &size), AE_ERROR_ARGUMENT, "images NULL");
    ae_options_free(options);
  }
}

/* Arrays are as long as their channels say: what overlaps at the last byte is refused, what begins behind it is not. */
static void test_overlaps(void) {
  const size_t image = 6 * 5 * 4;
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, "mode=lossless width=6 height=5 channels=4");
  ae_imageset *set;
  uint8_t *room = require(malloc(1 << 16));
  size_t size = 0, lost_count = 0;
  void *bytes = packed(0, 3, "mode=lossless width=6 height=5 channels=4", &size);
  memcpy(room, pictures, 3 * image);
  check_status(ae_compress(NULL, NULL, room, 3, NULL, options, room + 3 * image - 1, 4096, &size), AE_ERROR_ARGUMENT,
               "out on the last byte of the last channel");
  check_status(ae_compress(NULL, NULL, room, 3, NULL, options, room + 3 * image, 4096, &size), AE_OK, "right behind it");
  set = opened_set(bytes, size, NULL);
  check_status(ae_imageset_salvage(set, 0, 3, room, room + 3 * image - 1, &lost_count), AE_ERROR_ARGUMENT,
               "lost on the last byte of the images");
  check_status(ae_imageset_salvage(set, 0, 3, room, room + 3 * image, &lost_count), AE_OK, "right behind them");
  check(lost_count == 0 && memcmp(room, pictures, 3 * image) == 0, "and all come");
  check_status(ae_imageset_read(set, 0, SIZE_MAX / image, room), AE_ERROR_ARGUMENT, "more than there are");
  ae_imageset_free(set);
  ae_options_free(options);
  free(bytes);
  free(room);
}

/* ---- Damage ---- */

static void test_salvage(void) {
  const size_t image = 16 * 16 * 3;
  const char *text = "mode=lossless width=16 height=16 channels=3 block_images=4";
  uint8_t lost[12];
  ae_imageset *set;
  size_t size = 0, fewer_size = 0, lost_count = 0;
  int rest = 1;
  uint8_t *bytes = packed(0, 12, text, &size), *fewer = packed(0, 8, text, &fewer_size);
  bytes[in_last_block(bytes, size, fewer, fewer_size)] ^= 0x10;
  set = opened_set(bytes, size, NULL);
  check_status(ae_imageset_read(set, 0, 12, back), AE_ERROR_CHECKSUM, "a damaged block of colour");
  memset(back, 0xA5, sizeof back);
  check_status(ae_imageset_salvage(set, 0, 12, back, lost, &lost_count), AE_OK, "is salvaged");
  for (size_t i = 0; i < 4 * image; i++) rest = rest && back[8 * image + i] == 0;
  check(lost_count == 4 && !lost[7] && lost[8] && lost[11] && rest && memcmp(back, pictures, 8 * image) == 0 &&
            back[12 * image] == 0xA5,
        "the block's images are 0, the others whole");
  ae_imageset_free(set);
  free(fewer);
  free(bytes);
}

/* ---- Writers, and copies of blocks ---- */

static int same_file(const char *path, const void *bytes, size_t size) {
  size_t file_size = 0;
  void *file = read_file(path, &file_size);
  const int same = file_size == size && memcmp(file, bytes, size) == 0;
  free(file);
  return same;
}

static void test_copies(void) {
  static const char *const others[] = {"mode=lossless width=16 height=16 channels=4", "mode=lossless width=16 height=16",
                                       "mode=lossless width=16 height=48 channels=1",
                                       "mode=lossless width=16 height=17 channels=3"};
  const size_t image = 16 * 16 * 3;
  const char *text = "mode=lossless width=16 height=16 channels=3 block_images=4";
  const char *paths[2] = {place("a.aez"), place("b.aez")}, *all = place("all.aez");
  ae_options *options = options_of(AE_OPTIONS_COMPRESSION, text);
  ae_writer *writer = NULL;
  ae_status fed = AE_OK;
  size_t size = 0, front_size = 0, back_size = 0;
  void *bytes = packed(0, 12, text, &size), *front = packed(0, 8, text, &front_size),
       *rest = packed(8 * image, 4, text, &back_size);
  write_file(paths[0], front, front_size);
  write_file(paths[1], rest, back_size);

  if (ae_writer_create_file(NULL, NULL, options, all, &writer) != AE_OK) require(NULL);
  for (size_t i = 0; i < 12 && fed == AE_OK; i++) fed = ae_writer_add(writer, pictures + i * image, 1, NULL, NULL);
  check(fed == AE_OK && ae_writer_finish(writer) == AE_OK && same_file(all, bytes, size),
        "a writer of one image at a time makes the bytes of ae_compress");
  ae_writer_free(writer);

  check(ae_concatenate_files(NULL, paths, 2, all) == AE_OK && same_file(all, bytes, size), "sets in colour are concatenated");
  check(ae_split_file(NULL, all, 8, 4, all) == AE_OK && same_file(all, rest, back_size), "and split");
  write_file(all, front, front_size);
  check(ae_writer_append_file(NULL, all, NULL, &writer) == AE_OK &&
            ae_writer_add(writer, pictures + 8 * image, 4, NULL, NULL) == AE_OK && ae_writer_finish(writer) == AE_OK &&
            same_file(all, bytes, size),
        "and appended to");
  ae_writer_free(writer);

  for (size_t o = 0; o < sizeof others / sizeof *others; o++) {
    size_t other_size = 0;
    void *other = packed(0, 4, others[o], &other_size);
    ae_imageset *set = opened_set(other, other_size, NULL);
    write_file(paths[1], other, other_size);
    check_status(ae_concatenate_files(NULL, paths, 2, all), AE_ERROR_ARGUMENT, "beside %s", others[o]);
    check(strstr(ae_last_error(), "16 x 16 x 3") != NULL, "named: %s", ae_last_error());
    if (ae_writer_create_file(NULL, NULL, options, all, &writer) != AE_OK) require(NULL);
    check_status(ae_writer_add_set(writer, set, 0, 4), AE_ERROR_ARGUMENT, "and its blocks are not copied");
    ae_writer_free(writer);
    ae_imageset_free(set);
    free(other);
  }
  unlink(paths[0]);
  unlink(paths[1]);
  unlink(all);
  ae_options_free(options);
  free(rest);
  free(front);
  free(bytes);
}

void test_colour(void) {
  uint32_t state = 1;
  for (size_t i = 0; i < sizeof pictures; i++) {
    state = state * 1664525u + 1013904223u;
    pictures[i] = (uint8_t)(i / 97 * 5 + (state >> 29));
  }
  if (mkdtemp(folder) == NULL) require(NULL);
  test_shapes();
  test_refusals();
  test_overlaps();
  test_salvage();
  test_copies();
  check(rmdir(folder) == 0, "nothing is left");
}
