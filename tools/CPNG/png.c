/* libpng behind two calls that return: see CPNG.h. */
#include "CPNG.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  char *message;
  const uint8_t *bytes;
  size_t byte_count, offset;
} input;

static void say(char *message, const char *text) { snprintf(message, CPNG_MESSAGE_SIZE, "%s", text); }

static void fail_reading(png_structp png, png_const_charp text) {
  input *in = png_get_error_ptr(png);
  snprintf(in->message, CPNG_MESSAGE_SIZE, "%s (byte %zu)", text, in->offset);
  png_longjmp(png, 1);
}

static void fail_writing(png_structp png, png_const_charp text) {
  say(png_get_error_ptr(png), text);
  png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static void read_bytes(png_structp png, png_bytep to, size_t count) {
  input *in = png_get_io_ptr(png);
  if (count > in->byte_count - in->offset) {
    in->offset = in->byte_count;
    png_error(png, "the file is cut short");
  }
  memcpy(to, in->bytes + in->offset, count);
  in->offset += count;
}

/* What longjmp must not lose lives here, not in registers. */
typedef struct {
  png_structp png;
  png_infop info;
  uint8_t *samples;
  png_bytep *rows;
} reading;

static int read_image(reading *r, input *in, cpng_image *image) {
  if (setjmp(png_jmpbuf(r->png))) return CPNG_FORMAT;
  png_set_read_fn(r->png, in, read_bytes);
  png_set_user_limits(r->png, 65535, 65535);
  /* What no sample depends on is passed over as it lies in the file: texts and profiles inflate. */
  png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_set_chunk_malloc_max(r->png, 1 << 16);
  png_set_chunk_cache_max(r->png, 16);
  png_read_info(r->png, r->info);

  png_uint_32 width = png_get_image_width(r->png, r->info), height = png_get_image_height(r->png, r->info);
  if ((uint64_t)width * height > CPNG_LARGEST_PIXEL_COUNT) {
    char text[CPNG_MESSAGE_SIZE];
    snprintf(text, sizeof text, "%u x %u pixels are declared, at most %d are read", (unsigned)width,
             (unsigned)height, CPNG_LARGEST_PIXEL_COUNT);
    png_error(r->png, text);
  }
  /* Deflate makes at most 1032 bytes of one; interlacing adds some filter bytes, which only raises it. */
  if ((uint64_t)height * png_get_rowbytes(r->png, r->info) / 1032 > in->byte_count)
    png_error(r->png, "the header declares more pixels than the file's bytes can hold");

  png_set_expand(r->png); /* palettes to colours, fewer bits to 8, transparent colours to alpha */
  png_set_interlace_handling(r->png);
  png_read_update_info(r->png, r->info);
  image->width = width;
  image->height = height;
  image->channels = png_get_channels(r->png, r->info);
  image->depth = png_get_bit_depth(r->png, r->info);
  size_t row_size = png_get_rowbytes(r->png, r->info);
  r->samples = malloc((size_t)height * row_size);
  r->rows = malloc((size_t)height * sizeof *r->rows);
  if (r->samples == NULL || r->rows == NULL) return CPNG_MEMORY;
  for (png_uint_32 y = 0; y < height; y++) r->rows[y] = r->samples + y * row_size;
  png_read_image(r->png, r->rows);
  png_read_end(r->png, NULL);
  return CPNG_OK;
}

int cpng_read(const uint8_t *bytes, size_t byte_count, cpng_image *image, char message[CPNG_MESSAGE_SIZE]) {
  if (byte_count < 8 || png_sig_cmp(bytes, 0, 8) != 0) {
    say(message, "not a PNG file (byte 0)");
    return CPNG_FORMAT;
  }
  input in = {message, bytes, byte_count, 0};
  reading r = {NULL, NULL, NULL, NULL};
  int status = CPNG_MEMORY;
  r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &in, fail_reading, ignore_warning);
  if (r.png != NULL) r.info = png_create_info_struct(r.png);
  if (r.info != NULL) status = read_image(&r, &in, image);
  png_destroy_read_struct(&r.png, &r.info, NULL);
  free(r.rows);
  if (status == CPNG_MEMORY) say(message, "memory was refused");
  if (status == CPNG_OK)
    image->samples = r.samples;
  else
    free(r.samples);
  return status;
}

typedef struct {
  uint8_t *bytes;
  size_t count, capacity;
} output;

static void write_bytes(png_structp png, png_bytep from, size_t count) {
  output *out = png_get_io_ptr(png);
  if (count > out->capacity - out->count) {
    size_t capacity = out->capacity * 2 > out->count + count ? out->capacity * 2 : out->count + count;
    uint8_t *larger = realloc(out->bytes, capacity);
    if (larger == NULL) png_error(png, "memory was refused");
    out->bytes = larger;
    out->capacity = capacity;
  }
  memcpy(out->bytes + out->count, from, count);
  out->count += count;
}

static void flush(png_structp png) { (void)png; }

static int write_image(png_structp png, png_infop info, output *out, const uint8_t *samples, uint32_t width,
                       uint32_t height, int channels) {
  static const int types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                              PNG_COLOR_TYPE_RGB_ALPHA};
  if (setjmp(png_jmpbuf(png))) return CPNG_FORMAT;
  png_set_write_fn(png, out, write_bytes, flush);
  png_set_IHDR(png, info, width, height, 8, types[channels - 1], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_BASE,
               PNG_FILTER_TYPE_BASE);
  png_set_compression_level(png, 9);
  png_write_info(png, info);
  for (uint32_t y = 0; y < height; y++) png_write_row(png, samples + (size_t)y * width * (size_t)channels);
  png_write_end(png, info);
  return CPNG_OK;
}

int cpng_write(const uint8_t *samples, uint32_t width, uint32_t height, int channels, uint8_t **bytes,
               size_t *byte_count, char message[CPNG_MESSAGE_SIZE]) {
  if (channels < 1 || channels > 4) {
    say(message, "a picture has 1 to 4 channels");
    return CPNG_FORMAT;
  }
  output out = {NULL, 0, 0};
  int status = CPNG_MEMORY;
  png_infop info = NULL;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, message, fail_writing, ignore_warning);
  if (png != NULL) info = png_create_info_struct(png);
  if (info != NULL) status = write_image(png, info, &out, samples, width, height, channels);
  png_destroy_write_struct(&png, &info);
  if (status == CPNG_MEMORY) say(message, "memory was refused");
  if (status != CPNG_OK) {
    free(out.bytes);
    return status;
  }
  *bytes = out.bytes;
  *byte_count = out.count;
  return CPNG_OK;
}

void cpng_free(uint8_t *memory) { free(memory); }
