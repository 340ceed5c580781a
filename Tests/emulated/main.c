/* Decodes an image set: decode SET [MODEL] writes its pixels to standard output. The rest is in decode.swift. */
#include <stdint.h>
#include <stdio.h>

extern const uint8_t *decode_set(const char *set, const char *model, long *count);

int main(int argc, char **argv) {
  long count = 0;
  const uint8_t *pixels = argc > 1 ? decode_set(argv[1], argc > 2 ? argv[2] : NULL, &count) : NULL;
  return pixels == NULL || fwrite(pixels, 1, (size_t)count, stdout) != (size_t)count;
}
