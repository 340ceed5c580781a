/*
 * CDefaultModel: the models that the tool uses when it is told of none, compiled in: models/default.aew for
 * codes, and models/exact.aew, whose exact layer is all there is to it, for exact sets.
 */
#ifndef CDEFAULTMODEL_H
#define CDEFAULTMODEL_H

#include <stddef.h>

/** ae_default_model holds ae_default_model_size bytes of a weight file (.aew). */
extern const unsigned char ae_default_model[];
extern const size_t ae_default_model_size;

/** ae_default_model_bytes() returns its address: Swift does not import arrays of unknown size. */
static inline const unsigned char *ae_default_model_bytes(void) { return ae_default_model; }

/** ae_exact_model holds ae_exact_model_size bytes of a weight file (.aew). */
extern const unsigned char ae_exact_model[];
extern const size_t ae_exact_model_size;

/** ae_exact_model_bytes() returns its address. */
static inline const unsigned char *ae_exact_model_bytes(void) { return ae_exact_model; }

#endif
