/*
 * The CRC-32 of the images of COUNT codes, by what aez export --c wrote (SOURCE, whose prefix is "decoder"): for places
 * without files. As a program it prints the number; a WebAssembly module exports it as `checksum`.
 *
 * Codes are of a linear congruential generator: of even images in -1024 ... 1023, of odd ones in -16383 ... 16383.
 */
#include SOURCE

static uint32_t checksum(uint32_t count) {
  static uint8_t pixels[decoder_IMAGE_SIZE], scratch[decoder_SCRATCH_SIZE];
  static int16_t code[decoder_LATENT_COUNT];
  uint32_t state = 1, crc = 0xFFFFFFFFu, image, i;
  int bit;
  for (image = 0; image < count; image++) {
    for (i = 0; i < decoder_LATENT_COUNT; i++) {
      state = state * 1664525u + 1013904223u;
      code[i] = (int16_t)(image % 2 == 0 ? (int32_t)(state >> 21) - 1024 : (int32_t)((state >> 16) % 32767u) - 16383);
    }
    decoder_decode(code, pixels, scratch);
    for (i = 0; i < decoder_IMAGE_SIZE; i++) {
      crc ^= pixels[i];
      for (bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1u)));
    }
  }
  return ~crc;
}

#ifdef __wasm__
__attribute__((export_name("checksum"))) uint32_t wasm_checksum(uint32_t count) { return checksum(count); }
#else
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  printf("%lu\n", (unsigned long)checksum(argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0));
  return 0;
}
#endif
