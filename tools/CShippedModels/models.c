/* The bytes of the models that are compiled in: see CShippedModels.h. */
#include "CShippedModels.h"

#include <string.h>

/* #embed is of C23; compilers that know it take it in older C, too. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wc23-extensions"
#endif

static const unsigned char digits_low[] = {
#embed "../../models/digits-low.aew"
};

static const unsigned char digits_high[] = {
#embed "../../models/digits-high.aew"
};

static const unsigned char exact[] = {
#embed "../../models/exact.aew"
};

static const unsigned char mnist_30[] = {
#embed "../../models/mnist-30.aew"
};

static const unsigned char universal[] = {
#embed "../../models/universal.aew"
};

static const unsigned char digits_low_small[] = {
#embed "../../models/digits-low-small.aew"
};

static const unsigned char digits_high_small[] = {
#embed "../../models/digits-high-small.aew"
};

const unsigned char *ae_shipped_model(const char *name, size_t *size) {
  static const struct {
    const char *name;
    const unsigned char *bytes;
    size_t size;
  } models[] = {
      {"digits-low", digits_low, sizeof digits_low},
      {"digits-high", digits_high, sizeof digits_high},
      {"exact", exact, sizeof exact},
      {"mnist-30", mnist_30, sizeof mnist_30},
      {"universal", universal, sizeof universal},
      {"digits-low-small", digits_low_small, sizeof digits_low_small},
      {"digits-high-small", digits_high_small, sizeof digits_high_small},
  };
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    if (strcmp(models[i].name, name) != 0) continue;
    *size = models[i].size;
    return models[i].bytes;
  }
  *size = 0;
  return NULL;
}
