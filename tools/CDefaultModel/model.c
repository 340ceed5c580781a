/* The bytes of the models that are compiled in: see CDefaultModel.h. */
#include "CDefaultModel.h"

/* #embed is of C23; compilers that know it take it in older C, too. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wc23-extensions"
#endif

static const unsigned char default_model[] = {
#embed "../../models/default.aew"
};

static const unsigned char exact_model[] = {
#embed "../../models/exact.aew"
};

static const unsigned char low_model[] = {
#embed "../../models/digits-low.aew"
};

static const unsigned char high_model[] = {
#embed "../../models/digits-high.aew"
};

const unsigned char *ae_built_in_model(enum ae_built_in which, size_t *size) {
  switch (which) {
  case AE_BUILT_IN_DEFAULT: *size = sizeof default_model; return default_model;
  case AE_BUILT_IN_EXACT: *size = sizeof exact_model; return exact_model;
  case AE_BUILT_IN_LOW: *size = sizeof low_model; return low_model;
  case AE_BUILT_IN_HIGH: *size = sizeof high_model; return high_model;
  }
  *size = 0;
  return NULL;
}
