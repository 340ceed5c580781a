/*
 * CDefaultModel: the model that the tool uses when it is told of none: models/default.aew, compiled in.
 */
#ifndef CDEFAULTMODEL_H
#define CDEFAULTMODEL_H

#include <stddef.h>

/** ae_default_model holds ae_default_model_size bytes of a weight file (.aew). */
extern const unsigned char ae_default_model[];
extern const size_t ae_default_model_size;

/** ae_default_model_bytes() returns its address: Swift does not import arrays of unknown size. */
static inline const unsigned char *ae_default_model_bytes(void) { return ae_default_model; }

#endif
