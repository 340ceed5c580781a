/* libFuzzer's door to the PNG reader of the tool. Tests/fuzz/fuzz.sh builds and runs it. */
#include <CPNG.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count) {
  cpng_image image;
  char message[CPNG_MESSAGE_SIZE];
  if (cpng_read(data, count, &image, message) != CPNG_OK) return 0;
  /* Every sample is there to be read. */
  size_t samples = (size_t)image.width * image.height * (size_t)image.channels * (size_t)(image.depth / 8);
  unsigned sum = 0;
  for (size_t i = 0; i < samples; i++) sum += image.samples[i];
  if (image.channels < 1 || image.channels > 4 || (image.depth != 8 && image.depth != 16) || sum == ~0u) abort();
  cpng_free(image.samples);
  return 0;
}
