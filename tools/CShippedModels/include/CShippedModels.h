/*
 * CShippedModels: the models that come with libae, compiled into the tool from models/, so that it is one file that
 * opens every set. The library has them as files beside it: it is a third of their size.
 */
#ifndef CSHIPPEDMODELS_H
#define CSHIPPEDMODELS_H

#include <stddef.h>

/** ae_shipped_model(name, size) returns a weight file (.aew) of *size bytes; NULL for no such model. */
const unsigned char *ae_shipped_model(const char *name, size_t *size);

#endif
