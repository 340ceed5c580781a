/* The bytes of the default model: see CDefaultModel.h. */
#include "CDefaultModel.h"

/* #embed is of C23; compilers that know it take it in older C, too. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wc23-extensions"
#endif

#if __has_embed("../../models/mnist.aew")
const unsigned char ae_default_model[] = {
#embed "../../models/mnist.aew"
};
const size_t ae_default_model_size = sizeof ae_default_model;
#elif __has_embed("../../models/default.aew")
const unsigned char ae_default_model[] = {
#embed "../../models/default.aew"
};
const size_t ae_default_model_size = sizeof ae_default_model;
#else
const unsigned char ae_default_model[1] = {0};
const size_t ae_default_model_size = 0;
#endif
