/*
 * stream.c - a set of images written while they come: no array holds them all.
 *
 *   stream WIDTH HEIGHT < pixels > set.aez
 *
 * takes images of WIDTH x HEIGHT grey pixels, a byte each, one after the other, and writes a lossless set. Both ends
 * may be pipes; memory stays the same however many images there are.
 */
#include <ae.h>
#include <stdio.h>
#include <stdlib.h>

enum { AT_ONCE = 100 };

static int failed(const char *what) {
  fprintf(stderr, "stream: %s\n", what);
  return 1;
}

/* Takes the next bytes of the set. */
static int32_t write_bytes(void *context, const void *bytes, size_t byte_count) {
  return fwrite(bytes, 1, byte_count, context) == byte_count ? 0 : 1;
}

int main(int argc, char **argv) {
  ae_options *options = NULL;
  ae_writer *writer = NULL;
  if (argc != 3)
    return failed("usage: stream WIDTH HEIGHT < pixels > set.aez");

  /* What is asked for stays when the options are freed. A lossless set of any size needs no model. */
  if (ae_options_create(AE_OPTIONS_COMPRESSION, &options) != AE_OK ||
      ae_options_set(options, "mode", "lossless") != AE_OK || ae_options_set(options, "method", "contexts") != AE_OK ||
      ae_options_set(options, "width", argv[1]) != AE_OK || ae_options_set(options, "height", argv[2]) != AE_OK ||
      ae_writer_create(NULL, NULL, options, write_bytes, stdout, &writer) != AE_OK)
    return failed(ae_last_error());
  ae_options_free(options);

  size_t size = strtoul(argv[1], NULL, 10) * strtoul(argv[2], NULL, 10), images = 0, count;
  unsigned char *pixels = malloc(AT_ONCE * size);
  if (pixels == NULL)
    return failed("out of memory");
  while ((count = fread(pixels, size, AT_ONCE, stdin)) > 0) {
    if (ae_writer_add(writer, pixels, count, NULL, NULL) != AE_OK)
      return failed(ae_last_error());
    images += count;
  }
  if (ferror(stdin))
    return failed("the pixels cannot be read");
  if (ae_writer_finish(writer) != AE_OK)
    return failed(ae_last_error());
  ae_writer_free(writer);
  free(pixels);
  fprintf(stderr, "stream: %zu images\n", images);
  return fflush(stdout) == 0 ? 0 : failed("the set cannot be written");
}
