/*
 * Packs an IDX file of images as a C program does: the third face of test_equality.py.
 *
 * usage: equality IDX OUT MODEL|- WRITER [KEY=VALUE]...     WRITER: 0 for ae_compress, else images for each ae_writer_add
 */
#include <ae.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(ae_status status) {
  if (status == AE_OK)
    return;
  fprintf(stderr, "equality: %s\n", ae_last_error());
  exit(1);
}

static unsigned long big_endian(const unsigned char *at) {
  return (unsigned long)at[0] << 24 | (unsigned long)at[1] << 16 | (unsigned long)at[2] << 8 | at[3];
}

int main(int argc, char **argv) {
  unsigned char head[16], *images, *out;
  char side[32];
  size_t count, pixels, piece, size, done;
  FILE *file;
  ae_options *options;
  ae_model *model = NULL;
  if (argc < 5 || (file = fopen(argv[1], "rb")) == NULL || fread(head, 1, 16, file) != 16)
    return 2;
  count = big_endian(head + 4);
  pixels = big_endian(head + 8) * big_endian(head + 12);
  images = malloc(count * pixels);
  if (images == NULL || fread(images, pixels, count, file) != count)
    return 2;
  fclose(file);
  check(ae_options_create(AE_OPTIONS_COMPRESSION, &options));
  sprintf(side, "%lu", big_endian(head + 8));
  check(ae_options_set(options, "height", side));
  check(ae_options_set_integer(options, "width", (int64_t)big_endian(head + 12)));
  for (int i = 5; i < argc; i++) {
    char *equals = strchr(argv[i], '=');
    if (equals == NULL)
      return 2;
    *equals = '\0';
    check(ae_options_set(options, argv[i], equals + 1));
  }
  if (strcmp(argv[3], "-") != 0)
    check(ae_model_open(NULL, argv[3], &model));
  piece = (size_t)atol(argv[4]);
  if (piece == 0) {
    check(ae_compress_bound(NULL, model, count, options, &size));
    out = malloc(size);
    check(ae_compress(NULL, model, images, count, NULL, options, out, size, &size));
    file = fopen(argv[2], "wb");
    if (file == NULL || fwrite(out, 1, size, file) != size || fclose(file) != 0)
      return 2;
    free(out);
  } else {
    ae_writer *writer;
    check(ae_writer_create_file(NULL, model, options, argv[2], &writer));
    for (done = 0; done < count; done += piece)
      check(ae_writer_add(writer, images + done * pixels, piece < count - done ? piece : count - done, NULL, NULL));
    check(ae_writer_finish(writer));
    ae_writer_free(writer);
  }
  ae_options_free(options);
  ae_model_free(model);
  free(images);
  return 0;
}
