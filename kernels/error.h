/** How a function of the library says why it failed. */
#ifndef NM_ERROR_H
#define NM_ERROR_H

#include "narrowmac.h"

#include <stdarg.h>
#include <stdio.h>

/** Formats the message; error may be NULL. */
__attribute__((format(printf, 2, 3))) static inline void nm_explain(nm_error *error,
                                                                    const char *format, ...) {
    if (!error)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
}

/* A macro, since no analyzer looks through a variadic function for the status that it returns. */
#define NM_FAIL(error, status, ...) (nm_explain(error, __VA_ARGS__), (status))
#define NM_INVALID(error, ...) NM_FAIL(error, NM_INVALID_ARGUMENT, __VA_ARGS__)

#endif
