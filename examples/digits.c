/*
 * digits.c - a first C program: digits in, a few numbers each, digits out, as one picture.
 *
 *   digits MODEL.aew IMAGES.idx OUT.pgm
 *
 * encodes the first ten images of an IDX file (the format of MNIST's files, gunzipped), decodes them, and
 * writes a PGM with the inputs in the first row, the outputs in the second and, if the model is
 * variational, ten new digits drawn from the prior in the third. digits.cpp and digits.py do the same.
 */
#include <ae.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 10 };

static int failed(const char *what) {
  fprintf(stderr, "digits: %s\n", what);
  return 1;
}

/* Reads up to COLUMNS images of width x height from an IDX file; their count, or -1. */
static int read_idx(const char *path, int width, int height, unsigned char *images) {
  unsigned char header[16];
  const unsigned char expected[4] = {0, 0, 8, 3};
  size_t size = (size_t)width * (size_t)height, count = 0;
  FILE *file = fopen(path, "rb");
  if (file == NULL)
    return -1;
  if (fread(header, 1, 16, file) == 16 && memcmp(header, expected, 4) == 0 &&
      header[10] * 256 + header[11] == height && header[14] * 256 + header[15] == width)
    count = fread(images, size, COLUMNS, file);
  fclose(file);
  return count > 0 ? (int)count : -1;
}

int main(int argc, char **argv) {
  ae_model *model = NULL;
  ae_model_information info = {.struct_size = sizeof info};
  if (argc != 4)
    return failed("usage: digits MODEL.aew IMAGES.idx OUT.pgm");
  if (ae_model_open(NULL, argv[1], &model) != AE_OK || ae_model_info(model, &info) != AE_OK)
    return failed(ae_last_error());

  /* Three rows of images, each row one array as the library takes it. */
  size_t size = ae_input_size(model), row = COLUMNS * size;
  unsigned char *images = calloc(3, row);
  float *latents = malloc(COLUMNS * ae_latent_size(model) * sizeof(float));
  if (images == NULL || latents == NULL)
    return failed("out of memory");
  int count = read_idx(argv[2], info.width, info.height, images);
  if (count < 0)
    return failed("no IDX file of images of the model's size");

  if (ae_encode_u8(NULL, model, images, (size_t)count, latents) != AE_OK ||
      ae_decode_u8(NULL, model, latents, (size_t)count, images + row) != AE_OK)
    return failed(ae_last_error());
  if (info.is_variational && ae_sample_u8(NULL, model, COLUMNS, 1, images + 2 * row) != AE_OK)
    return failed(ae_last_error());

  printf("%s: %d pixels to %d numbers; the first image is", info.name, (int)size, info.latent_size);
  for (int i = 0; i < info.latent_size; i++)
    printf(" %.3f", latents[i]);
  printf("\n");

  /* A PGM is a header and the pixels of the whole picture, line by line. */
  int rows = info.is_variational ? 3 : 2;
  FILE *file = fopen(argv[3], "wb");
  if (file == NULL)
    return failed("the picture cannot be written");
  fprintf(file, "P5\n%d %d\n255\n", COLUMNS * info.width, rows * info.height);
  for (int y = 0; y < rows * info.height; y++)
    for (int x = 0; x < COLUMNS; x++) {
      size_t image = (size_t)(y / info.height * COLUMNS + x), line = (size_t)(y % info.height);
      fwrite(images + image * size + line * (size_t)info.width, 1, (size_t)info.width, file);
    }
  if (fclose(file) != 0)
    return failed("the picture cannot be written");

  free(latents);
  free(images);
  ae_model_free(model);
  return 0;
}
