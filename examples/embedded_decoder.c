/*
 * embedded_decoder.c - a decoder inside the program: no file at run time.
 *
 *   embedded_decoder [SPREAD] > grid.pgm
 *
 * The weights of a decoder are compiled in, by #embed where the compiler has it (C23, clang 19, gcc 15),
 * otherwise from decoder.inc, a list of the same bytes; the Makefile makes both files from a model. Linked
 * with libae.a the program needs libc, libm and libz alone. It draws a grid of the images that lie
 * around the middle of the code: across, the first number goes from -SPREAD to SPREAD (3 unless given), down,
 * the second.
 */
#include <ae.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wc23-extensions"
#endif

static const unsigned char weights[] = {
#ifdef __has_embed
#embed "decoder.aew"
#else
#include "decoder.inc"
#endif
};

enum { SIDE = 10 };

static int failed(const char *what) {
  fprintf(stderr, "embedded_decoder: %s\n", what);
  return 1;
}

int main(int argc, char **argv) {
  float spread = argc > 1 ? strtof(argv[1], NULL) : 3.0f;
  ae_model *model = NULL;
  ae_model_information info = {.struct_size = sizeof info};
  if (ae_model_open_memory(NULL, weights, sizeof weights, &model) != AE_OK || ae_model_info(model, &info) != AE_OK)
    return failed(ae_last_error());

  size_t size = ae_input_size(model), depth = ae_latent_size(model);
  float *codes = calloc(SIDE * SIDE * depth, sizeof(float));
  unsigned char *images = malloc(SIDE * SIDE * size);
  if (codes == NULL || images == NULL)
    return failed("out of memory");
  for (int i = 0; i < SIDE * SIDE; i++) {
    codes[(size_t)i * depth] = spread * (2.0f * (float)(i % SIDE) / (SIDE - 1) - 1.0f);
    if (depth > 1)
      codes[(size_t)i * depth + 1] = spread * (2.0f * (float)(i / SIDE) / (SIDE - 1) - 1.0f);
  }
  if (ae_decode_u8(NULL, model, codes, SIDE * SIDE, images) != AE_OK)
    return failed(ae_last_error());

  printf("P5\n%d %d\n255\n", SIDE * info.width, SIDE * info.height);
  for (int y = 0; y < SIDE * info.height; y++)
    for (int x = 0; x < SIDE; x++) {
      size_t image = (size_t)(y / info.height * SIDE + x), line = (size_t)(y % info.height);
      fwrite(images + image * size + line * (size_t)info.width, 1, (size_t)info.width, stdout);
    }

  free(images);
  free(codes);
  ae_model_free(model);
  return fflush(stdout) == 0 ? 0 : failed("the picture cannot be written");
}
