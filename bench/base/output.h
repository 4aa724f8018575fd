/** Where results go: files that appear whole or not at all, stdout, and a progress line. */
#ifndef BENCH_OUTPUT_H
#define BENCH_OUTPUT_H

#include "base/error.h"

#include <stdio.h>

struct json_t;

/** A result file being written. */
struct output {
    FILE *file;
    char *path;       /**< the final name; NULL for stdout and for devices and pipes */
    char *temporary;  /**< beside it, renamed over it by output_commit() */
    const char *name; /**< as the caller gave it, for errors; must outlive the output */
};

/** Opens PATH for writing; "-" is stdout. The file that is there stays until output_commit(). */
bool output_open(struct output *output, const char *path, struct error *error);

/** Fails now where output_open() would fail later: before long work. Changes nothing. */
bool output_check(const char *path, struct error *error);

/** Flushes to the disk and moves the file into place. Closes the output either way. */
bool output_commit(struct output *output, struct error *error);

/** Drops what was written. Not for stdout. */
void output_discard(struct output *output);

/** Writes a JSON document, indented, with a final newline. */
bool output_json(const char *path, const struct json_t *document, struct error *error);

/** Makes signals that end the program remove half-written files and say so. Call once. */
void output_guard(void);

/** Flushes stdout; reports a failure (disk full) and returns EXIT_BAD_INPUT, else 0. */
int output_end(void);

/** Shows "TEXT, elapsed 12 s, 30 s left" on stderr, in place; nothing if it is no terminal.
 *  @param done  fraction of the work that is done, 0..1.
 *  @param since monotonic_seconds() of the start. */
void progress(const char *text, double done, double since);
/** Erases the progress line: call before printing results. */
void progress_clear(void);

double monotonic_seconds(void);

#endif
