/*
 * Restores a set of images as a C program does, and writes their pixels.
 *
 * usage: restore SET MODEL OUT
 */
#include <ae.h>

#include <stdio.h>
#include <stdlib.h>

static void check(ae_status status) {
  if (status == AE_OK)
    return;
  fprintf(stderr, "restore: %s\n", ae_last_error());
  exit(1);
}

int main(int argc, char **argv) {
  ae_imageset_information about;
  ae_imageset *set;
  ae_model *model;
  unsigned char *pixels;
  size_t size;
  FILE *file;
  if (argc != 4)
    return 2;
  check(ae_model_open(NULL, argv[2], &model));
  check(ae_imageset_open(NULL, argv[1], model, &set));
  about.struct_size = sizeof about;
  check(ae_imageset_info(set, &about));
  size = (size_t)about.count * (size_t)about.width * (size_t)about.height * (size_t)about.channels;
  pixels = malloc(size);
  if (pixels == NULL)
    return 2;
  check(ae_imageset_read(set, 0, (size_t)about.count, pixels));
  file = fopen(argv[3], "wb");
  if (file == NULL || fwrite(pixels, 1, size, file) != size || fclose(file) != 0)
    return 2;
  free(pixels);
  ae_imageset_free(set);
  ae_model_free(model);
  return 0;
}
