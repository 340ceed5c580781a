/* The caller's floating-point environment: no result depends on it, and every call leaves it as it was. */
#include "check.h"

#include <fenv.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

/* Results of the calls that compute, one after another. */
enum { FEW = 20, RESULT_SIZE = 1 << 18 };
typedef struct result {
  size_t size;
  uint8_t bytes[RESULT_SIZE];
} result;

static void keep(result *result, const void *bytes, size_t size) {
  if (size > RESULT_SIZE - result->size) require(NULL);
  memcpy(result->bytes + result->size, bytes, size);
  result->size += size;
}

/* Sets another environment from inside training; the pointer names it. */
static void (*set_environment)(int);
static int32_t meddle(void *context, const ae_training_progress *progress) {
  (void)progress;
  set_environment(*(const int *)context);
  return 0;
}

static void compute(result *all, int environment) {
  static float latents[FEW * LATENTS], variances[FEW * LATENTS], images[FEW * SIZE];
  static uint8_t bytes[FEW * SIZE];
  ae_trainer_callbacks callbacks = {sizeof callbacks, 5, meddle, NULL, NULL, &environment};
  ae_trainer *trainer;
  ae_imageset *set = NULL;
  size_t size = 0;
  int right = 1;
  all->size = 0;
  right &= ae_prior(NULL, vae, FEW, 3, latents) == AE_OK;
  keep(all, latents, sizeof latents);
  right &= ae_posterior_u8(NULL, vae, pixels, FEW, latents, variances) == AE_OK;
  keep(all, latents, sizeof latents);
  keep(all, variances, sizeof variances);
  right &= ae_decode(NULL, vae, latents, FEW, images) == AE_OK;
  keep(all, images, sizeof images);
  right &= ae_encode(NULL, vae, images, FEW, latents) == AE_OK;
  keep(all, latents, sizeof latents);
  right &= ae_sample_u8(NULL, vae, FEW, 5, bytes) == AE_OK;
  keep(all, bytes, sizeof bytes);

  void *file = compressed(vae, FEW, NULL, "", &size);
  keep(all, file, size);
  right &= ae_imageset_open_memory(NULL, file, size, vae, &set) == AE_OK;
  right &= ae_imageset_read(set, 0, FEW, bytes) == AE_OK;
  keep(all, bytes, sizeof bytes);
  ae_imageset_free(set);
  free(file);

  trainer = trainer_of(AE_KIND_VAE, "steps=20");
  right &= ae_trainer_set_callbacks(trainer, &callbacks) == AE_OK && ae_trainer_fit(trainer, pixels, COUNT) == AE_OK;
  right &= ae_trainer_save(trainer, NULL, 0, &size) == AE_OK;
  file = require(malloc(size));
  right &= ae_trainer_save(trainer, file, size, &size) == AE_OK;
  keep(all, file, size);
  free(file);
  ae_trainer_free(trainer);
  if (!right) require(NULL);
}

static const int modes[] = {
  FE_TONEAREST,
#ifdef FE_UPWARD
  FE_UPWARD,
#endif
#ifdef FE_DOWNWARD
  FE_DOWNWARD,
#endif
#ifdef FE_TOWARDZERO
  FE_TOWARDZERO,
#endif
};
enum { MODES = sizeof modes / sizeof *modes };

/* A rounding mode, or one more: denormals flushed and every exception a trap. */
static void set(int environment) {
  fesetenv(FE_DFL_ENV);
  if (environment < MODES) {
    fesetround(modes[environment]);
    return;
  }
#if defined(__x86_64__)
  _mm_setcsr(0x8040);
#endif
}

static int is_set(int environment) {
  if (environment < MODES) return fegetround() == modes[environment] && !fetestexcept(FE_ALL_EXCEPT);
#if defined(__x86_64__)
  return _mm_getcsr() == 0x8040;
#else
  return 1;
#endif
}

void test_environment(void) {
  static result expected, actual;
  set_environment = set;
  compute(&expected, 0);
  for (int environment = 1; environment <= MODES; environment++) {
    set(environment);
    compute(&actual, environment);
    int kept = is_set(environment);
    fesetenv(FE_DFL_ENV);
    check(actual.size == expected.size && memcmp(actual.bytes, expected.bytes, expected.size) == 0,
          "floating-point environment %d of the caller changes no result", environment);
    check(kept, "and is there afterwards, flags included");
  }
}
