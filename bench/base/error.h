/** Failures as one line, "WHAT: WHY; REMEDY": made where they happen, printed once at the top. */
#ifndef BENCH_ERROR_H
#define BENCH_ERROR_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/** The program's exit statuses. */
enum {
    EXIT_DONE = 0,
    EXIT_NO = 1,        /**< the answer is "no": a regression found, a self-check failed */
    EXIT_BAD_INPUT = 2, /**< bad usage or bad input; one line on stderr says what */
    EXIT_INTERRUPTED = 130,
};

struct error {
    char message[1024];
};

/** Fills error with a formatted line; control characters (of file names, say) become '?'. */
void error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** error_set() that evaluates to false: a reader ends with `return fail(error, ...)`. A macro, so
 *  that compilers see the false. */
#define fail(...) (error_set(__VA_ARGS__), false)

/** "PATH: what errno says; REMEDY" */
static inline bool fail_errno(struct error *error, const char *path, const char *remedy) {
    return fail(error, "%s: %s; %s", path, strerror(errno), remedy);
}

static inline bool fail_memory(struct error *error, const char *what) {
    return fail(error, "%s: out of memory; use smaller tensors or a machine with more memory",
                what);
}

/** Prints "narrowmac: MESSAGE" to stderr and returns EXIT_BAD_INPUT. */
int report(const struct error *error);

#endif
