/*
 * show.c - an image of a set, in a terminal: all that it calls is in libae-decode.
 *
 *   show SET.aez [NUMBER]
 *
 * prints what the set is, and the image of that number, from 0 on, a character for a pixel. The model that the set names is
 * found among those that come with libae and those in the environment's AE_MODEL_PATH, or is in the set.
 */
#include <ae.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(const char *what) {
  fprintf(stderr, "show: %s\n", what);
  return 1;
}

int main(int argc, char **argv) {
  ae_imageset *set = NULL;
  ae_imageset_information info = {.struct_size = sizeof info};
  if (argc != 2 && argc != 3)
    return failed("usage: show SET.aez [NUMBER]");
  if (ae_imageset_open(NULL, argv[1], NULL, &set) != AE_OK || ae_imageset_info(set, &info) != AE_OK)
    return failed(ae_last_error());
  printf("%llu images of %d x %d x %d, %llu bytes\n", (unsigned long long)info.count, (int)info.width,
         (int)info.height, (int)info.channels, (unsigned long long)info.byte_count);

  size_t channels = (size_t)info.channels, pixels = (size_t)info.width * (size_t)info.height;
  unsigned char *image = malloc(pixels * channels);
  if (image == NULL)
    return failed("no memory");
  if (ae_imageset_read(set, argc == 3 ? strtoull(argv[2], NULL, 10) : 0, 1, image) != AE_OK)
    return failed(ae_last_error());
  for (size_t i = 0; i < pixels; i++) {
    /* Of colours, the green is the most of the brightness. */
    putchar(" .:-=+*#%@"[image[i * channels + (channels > 1 ? 1 : 0)] * 10 / 256]);
    if ((i + 1) % (size_t)info.width == 0)
      putchar('\n');
  }
  free(image);
  ae_imageset_free(set);
  return 0;
}
