/*
 * ascii_digit.c - a decoder compiled in: shows what a code stands for, with no library and no file.
 *
 *   ascii_digit [NUMBER ...]      the numbers of a latent code, as ae_encode gives them; 0 for those left out
 *
 * decoder.c is what `aez export MODEL --c -o decoder.c` writes.
 */
#define decoder_FLOATS
#include "decoder.c"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  static const char ink[] = " .:-=+*#%@";
  static uint8_t pixels[decoder_IMAGE_SIZE], scratch[decoder_SCRATCH_SIZE];
  float latents[decoder_LATENT_COUNT] = {0};
  int16_t code[decoder_LATENT_COUNT];

  for (int i = 1; i < argc && i <= decoder_LATENT_COUNT; i++)
    latents[i - 1] = strtof(argv[i], NULL);
  decoder_from_floats(latents, code);
  decoder_decode(code, pixels, scratch);

  for (int y = 0; y < decoder_HEIGHT; y++) {
    for (int x = 0; x < decoder_WIDTH; x++) {
      char mark = ink[pixels[(y * decoder_WIDTH + x) * decoder_CHANNELS] * 10 / 256];
      putchar(mark);
      putchar(mark); /* a character is twice as high as wide */
    }
    putchar('\n');
  }
  return 0;
}
