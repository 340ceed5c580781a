/* Encoding, decoding and sampling: shapes, agreement between the forms, and hostile arguments. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float floats[COUNT * SIZE], decoded[COUNT * SIZE];
static float latents[COUNT * LATENTS], others[COUNT * LATENTS];
static uint8_t bytes[COUNT * SIZE];

static double difference(const float *a, const float *b, size_t count) {
  double largest = 0;
  for (size_t i = 0; i < count; i++)
    if (fabs((double)a[i] - b[i]) > largest) largest = fabs((double)a[i] - b[i]);
  return largest;
}

static void test_agreement(const ae_model *model, const char *name) {
  double error = 0;
  int inside = 1, rounded = 1;
  check_status(ae_encode(NULL, model, floats, COUNT, latents), AE_OK, "%s: encodes floats", name);
  check_status(ae_encode_u8(NULL, model, pixels, COUNT, others), AE_OK, "%s: encodes bytes", name);
  check(difference(latents, others, COUNT * LATENTS) < 1e-4, "%s: to the same codes", name);
  check_status(ae_decode(NULL, model, latents, COUNT, decoded), AE_OK, "%s: decodes to floats", name);
  check_status(ae_decode_u8(NULL, model, latents, COUNT, bytes), AE_OK, "%s: decodes to bytes", name);
  for (size_t i = 0; i < COUNT * SIZE; i++) {
    inside = inside && decoded[i] >= 0 && decoded[i] <= 1;
    rounded = rounded && fabs(decoded[i] * 255 - bytes[i]) <= 0.502;
    error += (decoded[i] - floats[i]) * (decoded[i] - floats[i]);
  }
  check(inside, "%s: all within [0, 1]", name);
  check(rounded, "%s: the bytes are the floats, rounded", name);
  check(error / (COUNT * SIZE) < 0.03, "%s: and much like the input (mse %.4f)", name, error / (COUNT * SIZE));
  if (ae_encode(NULL, model, floats + 7 * SIZE, 1, others) == AE_OK)
    check(difference(latents + 7 * LATENTS, others, LATENTS) < 1e-4, "%s: one alone gets the same code", name);
}

static void test_integers(const ae_model *model) {
  size_t size = 0;
  void *file = saved(model, AE_STORAGE_INT8, 0, &size);
  ae_model *integer = NULL;
  int same = 1;
  if (ae_model_open_memory(NULL, file, size, &integer) != AE_OK) require(NULL);
  free(file);
  test_agreement(integer, "int8");
  /* Exact: what comes out does not depend on how many go in. */
  if (ae_encode_u8(NULL, integer, pixels, COUNT, latents) != AE_OK ||
      ae_decode_u8(NULL, integer, latents, COUNT, bytes) != AE_OK)
    require(NULL);
  for (size_t i = 0; i < COUNT && same; i++) {
    uint8_t one[SIZE];
    float code[LATENTS];
    same = ae_encode_u8(NULL, integer, pixels + i * SIZE, 1, code) == AE_OK &&
           memcmp(code, latents + i * LATENTS, sizeof code) == 0 &&
           ae_decode_u8(NULL, integer, code, 1, one) == AE_OK && memcmp(one, bytes + i * SIZE, SIZE) == 0;
  }
  check(same, "int8: one by one gives the same bits as all at once");
  latents[0] = 3e38f;
  latents[1] = -3e38f;
  check_status(ae_decode_u8(NULL, integer, latents, 1, bytes), AE_OK, "int8: huge latents are clamped");
  ae_model_free(integer);
}

static void test_variational(void) {
  static float mean[COUNT * LATENTS], variance[COUNT * LATENTS], prior[COUNT * LATENTS];
  double sum = 0, squares = 0;
  check_status(vae_encode(NULL, vae, floats, COUNT, mean, variance), AE_OK, "vae_encode");
  if (ae_encode(NULL, vae, floats, COUNT, latents) != AE_OK) require(NULL);
  check(difference(mean, latents, COUNT * LATENTS) < 1e-5, "ae_encode gives a vae's mean");
  check_status(ae_posterior(NULL, vae, floats, COUNT, latents, others), AE_OK, "ae_posterior");
  check(memcmp(mean, latents, sizeof mean) == 0 && memcmp(variance, others, sizeof variance) == 0,
        "is vae_encode by its other name");
  check_status(ae_posterior_u8(NULL, vae, pixels, COUNT, latents, others), AE_OK, "ae_posterior_u8");
  check(difference(variance, others, COUNT * LATENTS) < 1e-4, "with the same log-variances");
  check_status(vae_encode(NULL, elu, floats, 1, mean, variance), AE_ERROR_KIND, "an elu has no posterior");
  check_status(ae_posterior(NULL, elu, floats, 0, NULL, NULL), AE_ERROR_KIND, "not even of no images");
  check_status(vae_encode(NULL, vae, floats, 1, mean, mean), AE_ERROR_ARGUMENT, "two results in one array");
  check_status(vae_encode(NULL, vae, floats, 1, mean, NULL), AE_ERROR_ARGUMENT, "log_variance NULL");
  check_status(vae_encode(NULL, vae, floats, SIZE_MAX, mean, variance), AE_ERROR_ARGUMENT, "vae_encode SIZE_MAX");

  check_status(ae_prior(NULL, vae, COUNT, 42, prior), AE_OK, "ae_prior");
  for (size_t i = 0; i < COUNT * LATENTS; i++) {
    sum += prior[i];
    squares += prior[i] * prior[i];
  }
  check(fabs(sum / (COUNT * LATENTS)) < 0.12 && fabs(squares / (COUNT * LATENTS) - 1) < 0.2,
        "looks like a unit Gaussian");
  if (ae_prior(NULL, vae, 10, 42, latents) != AE_OK) require(NULL);
  check(memcmp(latents, prior, 10 * LATENTS * sizeof(float)) == 0, "a longer draw begins with a shorter one");
  if (ae_prior(NULL, vae, 10, 43, latents) != AE_OK) require(NULL);
  check(memcmp(latents, prior, 10 * LATENTS * sizeof(float)) != 0, "another seed gives other codes");
  check_status(vae_sample(NULL, vae, COUNT, 42, decoded), AE_OK, "vae_sample");
  check_status(ae_decode(NULL, vae, prior, COUNT, floats), AE_OK, "decodes the prior's codes");
  check(difference(decoded, floats, COUNT * SIZE) < 1e-5, "samples are the prior, decoded");
  check_status(ae_sample(NULL, vae, COUNT, 42, floats), AE_OK, "ae_sample");
  check(memcmp(decoded, floats, sizeof decoded) == 0, "is vae_sample by its other name");
  check_status(ae_sample_u8(NULL, vae, COUNT, 42, bytes), AE_OK, "ae_sample_u8");
  check_status(vae_sample(NULL, elu, 1, 1, decoded), AE_ERROR_KIND, "an elu gives no samples");
  check_status(ae_sample_u8(NULL, elu, 0, 1, NULL), AE_ERROR_KIND, "not even none");
  check_status(ae_prior(NULL, elu, 1, 1, latents), AE_ERROR_KIND, "an elu has no prior");
  check_status(vae_sample(NULL, vae, 0, 1, NULL), AE_OK, "no samples");
  check_status(vae_sample(NULL, vae, 1, 1, NULL), AE_ERROR_ARGUMENT, "samples into NULL");
  check_status(vae_sample(NULL, vae, SIZE_MAX, 1, decoded), AE_ERROR_ARGUMENT, "SIZE_MAX samples");
  check_status(ae_prior(NULL, vae, SIZE_MAX / 4, 1, latents), AE_ERROR_ARGUMENT, "SIZE_MAX / 4 codes");
}

/* Finite numbers whose products are not. */
static void test_overflow(const ae_model *model, const char *name) {
  static float huge[SIZE];
  static const float codes[2][LATENTS] = {{3e38f, 3e38f, 3e38f, 3e38f}, {3e38f, -3e38f, 3e38f, -3e38f}};
  for (size_t i = 0; i < SIZE; i++) huge[i] = i % 2 ? 3e38f : -3e38f;
  check_status(ae_encode(NULL, model, huge, 1, latents), AE_ERROR_DIVERGED, "%s: pixels of 3e38 overflow", name);
  check(strstr(ae_last_error(), "overflow") != NULL, "and the message says so: %s", ae_last_error());
  for (int i = 0; i < 2; i++) {
    check_status(ae_decode(NULL, model, codes[i], 1, decoded), AE_ERROR_DIVERGED, "%s: latents of 3e38 overflow", name);
    check_status(ae_decode_u8(NULL, model, codes[i], 1, bytes), AE_ERROR_DIVERGED, "%s: to bytes, too", name);
  }
}

static void test_hostile_arguments(void) {
  static const size_t counts[] = {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX / 3136,
                                  (size_t)1 << 62, (size_t)1 << 55};
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  char *off = (char *)floats + 1;
  int refused = 1;
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
    refused = refused && ae_encode(NULL, elu, floats, counts[i], latents) == AE_ERROR_ARGUMENT &&
              ae_encode_u8(NULL, elu, pixels, counts[i], latents) == AE_ERROR_ARGUMENT &&
              ae_decode(NULL, elu, latents, counts[i], floats) == AE_ERROR_ARGUMENT &&
              ae_decode_u8(NULL, elu, latents, counts[i], bytes) == AE_ERROR_ARGUMENT;
  check(refused, "absurd counts are refused by all four");
  check(strstr(ae_last_error(), "36028797018963968") != NULL, "the message says the count: %s", ae_last_error());

  check_status(ae_encode(NULL, elu, NULL, 0, NULL), AE_OK, "no images from NULL to NULL");
  check_status(ae_encode_u8(NULL, elu, NULL, 0, NULL), AE_OK, "no bytes, either");
  check_status(ae_decode(NULL, elu, NULL, 0, NULL), AE_OK, "no latents");
  check_status(ae_decode_u8(NULL, elu, NULL, 0, NULL), AE_OK, "no latents to bytes");
  check_status(ae_encode(NULL, elu, NULL, 1, latents), AE_ERROR_ARGUMENT, "images NULL");
  check_status(ae_encode(NULL, elu, floats, 1, NULL), AE_ERROR_ARGUMENT, "latents NULL");
  check_status(ae_decode(NULL, elu, NULL, 1, floats), AE_ERROR_ARGUMENT, "latents NULL, decoding");
  check_status(ae_decode_u8(NULL, elu, latents, 1, NULL), AE_ERROR_ARGUMENT, "images NULL, decoding");

  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    float kept = floats[5 * SIZE + 3];
    floats[5 * SIZE + 3] = bad[i];
    check_status(ae_encode(NULL, elu, floats, COUNT, latents), AE_ERROR_ARGUMENT, "a pixel of %g", (double)bad[i]);
    check(strstr(ae_last_error(), "3") && strstr(ae_last_error(), "5"), "is placed: %s", ae_last_error());
    floats[5 * SIZE + 3] = kept;
    memset(latents, 0, sizeof latents);
    latents[2 * LATENTS + 1] = bad[i];
    check_status(ae_decode(NULL, elu, latents, COUNT, decoded), AE_ERROR_ARGUMENT, "a latent of %g", (double)bad[i]);
    check_status(ae_decode_u8(NULL, elu, latents, COUNT, bytes), AE_ERROR_ARGUMENT, "and to bytes");
  }

  check_status(ae_encode(NULL, elu, (float *)(void *)off, 1, latents), AE_ERROR_ARGUMENT, "floats off their alignment");
  check_status(ae_decode(NULL, elu, floats, 2, floats + LATENTS), AE_ERROR_ARGUMENT, "arrays that overlap");
  check_status(ae_encode_u8(NULL, elu, (uint8_t *)latents, 1, latents), AE_ERROR_ARGUMENT, "and of other types");
  check_status(ae_encode(NULL, elu, (float *)(UINTPTR_MAX - 63), 1, latents), AE_ERROR_ARGUMENT,
               "an array past the end of memory");
}

void test_coding(void) {
  for (size_t i = 0; i < COUNT * SIZE; i++) floats[i] = pixels[i] / 255.0f;
  test_agreement(elu, "elu");
  test_agreement(vae, "vae");
  test_integers(elu);
  test_variational();
  test_overflow(elu, "elu");
  test_overflow(vae, "vae");
  test_hostile_arguments();
}
