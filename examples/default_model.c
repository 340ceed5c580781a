/*
 * default_model.c - a model that comes with libae, opened by name: no path in the program.
 *
 *   default_model [NAME]
 *
 * opens "digits-high", or the model that is named, and prints what it is and what its qualities cost. The library finds
 * its models beside itself, in share/libae/models of the folder that it was installed under, unless the environment's
 * AE_MODEL_PATH says otherwise.
 */
#include <ae.h>
#include <stdio.h>

static int failed(const char *what) {
  fprintf(stderr, "default_model: %s\n", what);
  return 1;
}

int main(int argc, char **argv) {
  ae_model *model = NULL;
  ae_model_information info = {.struct_size = sizeof info};
  if (argc > 2)
    return failed("usage: default_model [NAME]");
  if (ae_model_default(NULL, argc > 1 ? argv[1] : NULL, &model) != AE_OK || ae_model_info(model, &info) != AE_OK)
    return failed(ae_last_error());

  printf("%s: %d x %d pixels to %d numbers%s\n", info.name, info.width, info.height, info.latent_size,
         info.has_lossless ? ", and a network for lossless coding" : "");
  for (int quality = 1; quality <= ae_quality_count(NULL, model); quality++) {
    ae_quality_information about = {.struct_size = sizeof about};
    if (ae_quality_info(NULL, model, quality, &about) != AE_OK)
      return failed(ae_last_error());
    printf("quality %d%s", quality, about.is_default ? " (the default)" : "");
    if (about.bytes_per_image > 0)
      printf(": %.1f bytes an image, %.1f dB", about.bytes_per_image, about.psnr);
    printf("\n");
  }
  ae_model_free(model);
  return 0;
}
