/*
 * From dlopen to the first code, in a program that has linked nothing: prints the milliseconds that loading the
 * library, opening the model and encoding one image took together, and then the microseconds of one image
 * when all is warm (the median of many calls).
 *
 *   first LIBRARY MODEL THREADS
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  enum { CALLS = 5000 };
  static double times[CALLS];
  static uint8_t image[64 * 64];
  static float latents[1024];
  if (argc != 4)
    return 64;
  /* A square of grey, a fifth of the picture. */
  for (int i = 0; i < 144; i++)
    image[(8 + i / 12) * 28 + 8 + i % 12] = (uint8_t)(80 + i);
  double start = seconds();
  void *library = dlopen(argv[1], RTLD_NOW), *model = NULL;
  if (library == NULL)
    return 1;
  int32_t (*set_threads)(int32_t) = (int32_t(*)(int32_t))dlsym(library, "ae_set_threads");
  int32_t (*open)(const char *, void **) = (int32_t(*)(const char *, void **))dlsym(library, "ae_model_open");
  int32_t (*encode)(const void *, const uint8_t *, size_t, float *) =
      (int32_t(*)(const void *, const uint8_t *, size_t, float *))dlsym(library, "ae_encode_u8");
  if (set_threads(atoi(argv[3])) != 0 || open(argv[2], &model) != 0 || encode(model, image, 1, latents) != 0)
    return 1;
  double first = seconds() - start;
  for (int i = 0; i < CALLS; i++) {
    double before = seconds();
    if (encode(model, image, 1, latents) != 0)
      return 1;
    times[i] = seconds() - before;
  }
  qsort(times, CALLS, sizeof *times, ascending);
  printf("%.4f %.3f\n", 1e3 * first, 1e6 * times[CALLS / 2]);
  return 0;
}
