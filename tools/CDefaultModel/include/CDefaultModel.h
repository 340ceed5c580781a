/*
 * CDefaultModel: the models that the tool uses when it is told of none, compiled in from models/: default.aew for
 * codes, digits-low.aew and digits-high.aew for codes of a rate that is asked for, and exact.aew, whose exact layer
 * is all there is to it, for exact sets.
 */
#ifndef CDEFAULTMODEL_H
#define CDEFAULTMODEL_H

#include <stddef.h>

enum ae_built_in { AE_BUILT_IN_DEFAULT, AE_BUILT_IN_EXACT, AE_BUILT_IN_LOW, AE_BUILT_IN_HIGH };

/** ae_built_in_model(which, size) returns a weight file (.aew) of *size bytes; NULL for no such model. */
const unsigned char *ae_built_in_model(enum ae_built_in which, size_t *size);

#endif
