/** Names that a user types: lookup, and errors that list the valid ones. */
#ifndef BENCH_NAMES_H
#define BENCH_NAMES_H

#include "base/error.h"

#include <stddef.h>

/** A NULL-terminated list of names; a name's index is its value. */
typedef const char *const *names;

/** Index of name in choices, or -1. */
int names_find(names choices, const char *name);

/** Looks name up; the error lists the valid names and suggests the nearest.
 *  @param what what the name is, e.g. "precision". */
bool names_lookup(names choices, const char *what, const char *name, size_t *index,
                  struct error *error);

/** The error of names_lookup(), for lists kept elsewhere. Returns false. */
bool names_fail(names choices, const char *what, const char *name, struct error *error);

/** The library's names, each in the order of its enum. */
names precision_names(void);
names isa_names(void);
names algorithm_names(void);
names scheme_names(void);

#endif
