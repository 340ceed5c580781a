/*
 * What aez export --c wrote (SOURCE, whose prefix is "decoder") between standard input and standard output.
 *
 * usage: decoder_pipe decode | floats | encode | sums | latents      codes, floats or pixels in, one after the other
 */
#define decoder_FLOATS
#include SOURCE

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  /* Scratch memory may begin anywhere. */
  static uint8_t pixels[decoder_IMAGE_SIZE], scratch[decoder_SCRATCH_SIZE + 1];
  static int16_t code[decoder_LATENT_COUNT];
  static float latents[decoder_LATENT_COUNT];
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "decode") == 0) {
    while (fread(code, sizeof code, 1, stdin) == 1) {
      decoder_decode(code, pixels, scratch + 1);
      fwrite(pixels, sizeof pixels, 1, stdout);
    }
  } else if (strcmp(what, "floats") == 0) {
    while (fread(latents, sizeof latents, 1, stdin) == 1) {
      decoder_from_floats(latents, code);
      decoder_decode(code, pixels, scratch + 1);
      fwrite(pixels, sizeof pixels, 1, stdout);
    }
#ifdef WITH_ENCODER
  } else if (strcmp(what, "encode") == 0) {
    while (fread(pixels, sizeof pixels, 1, stdin) == 1) {
      decoder_encode(pixels, code, scratch + 1);
      fwrite(code, sizeof code, 1, stdout);
    }
  } else if (strcmp(what, "sums") == 0 || strcmp(what, "latents") == 0) {
    static int32_t sums[decoder_LATENT_COUNT];
    while (fread(pixels, sizeof pixels, 1, stdin) == 1) {
      decoder_encode_sums(pixels, sums, scratch + 1);
      decoder_to_floats(sums, latents);
      if (what[0] == 's')
        fwrite(sums, sizeof sums, 1, stdout);
      else
        fwrite(latents, sizeof latents, 1, stdout);
    }
#endif
  } else {
    return 2;
  }
  return ferror(stdin) || fflush(stdout) != 0;
}
