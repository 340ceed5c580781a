/*
 * CSystem: what the engine asks of the operating system, as plain C: memory that may be refused,
 * the thread's last error, the environment, clocks, files. It is its own module because Swift
 * without Foundation, and without a runtime, has no other door to them.
 */
#ifndef CSYSTEM_H
#define CSYSTEM_H

#include <stddef.h>
#include <stdint.h>

/** cs_allocate(byte_count) returns zeroed memory on a 64-byte boundary, or NULL if it is refused. */
void *cs_allocate(size_t byte_count);

/** cs_free(memory) frees what cs_allocate returned; NULL does nothing. */
void cs_free(void *memory);

/** cs_error_set(text, byte_count) keeps a copy of text, cut to what fits, as this thread's last error. */
void cs_error_set(const char *text, size_t byte_count);

/** cs_error_get() returns this thread's last error, "" if there was none. */
const char *cs_error_get(void);

/** cs_environment(name) returns the variable's value, or NULL. */
const char *cs_environment(const char *name);

/** cs_seconds() returns a clock that only goes forward, in seconds from an arbitrary start. */
double cs_seconds(void);

#endif
