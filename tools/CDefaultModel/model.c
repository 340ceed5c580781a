/* The bytes of the models that are compiled in: see CDefaultModel.h. */
#include "CDefaultModel.h"

/* #embed is of C23; compilers that know it take it in older C, too. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wc23-extensions"
#endif

const unsigned char ae_default_model[] = {
#embed "../../models/default.aew"
};
const size_t ae_default_model_size = sizeof ae_default_model;

const unsigned char ae_exact_model[] = {
#embed "../../models/exact.aew"
};
const size_t ae_exact_model_size = sizeof ae_exact_model;
