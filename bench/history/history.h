/**
 * The history: every sample of every run, in one SQLite file.
 *
 * A run is one results document; a build is what runs have in common: the label they were recorded
 * with, else commit and dirty flag (a run with neither is a build of its own). Several programs may
 * read and write one file at once. A run is stored in one transaction: whole or not at all.
 */
#ifndef BENCH_HISTORY_H
#define BENCH_HISTORY_H

#include "base/error.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

struct history {
    sqlite3 *db;
    const char *path; /**< for errors */
};

enum history_mode {
    HISTORY_READ,  /**< the file must exist and is never changed; an older schema is read through a
                        copy in memory, which is brought up to date */
    HISTORY_WRITE, /**< creates the file, brings an older schema up to date */
    HISTORY_COPY,  /**< a copy in memory, or an empty one where path is NULL: for documents that
                        take part without being recorded */
};

/** @param path must outlive the history. */
bool history_open(const char *path, enum history_mode mode, struct history *history,
                  struct error *error);
void history_close(struct history *history);

struct recorded {
    int64_t run;
    size_t series, samples;
    size_t skipped; /**< rows of the document that hold no figure */
    bool known;     /**< the same document was there already, as that run; nothing was added */
};

/**
 * Stores a results document as a run.
 *
 * @param source file that it came from, kept with the run and named in errors.
 * @param label  name of the build, in place of its commit; or NULL.
 */
bool history_add(struct history *history, const json_t *document, const char *source,
                 const char *label, struct recorded *recorded, struct error *error);

/** Opens, adds, closes, and says on stderr what was recorded: what --record does. */
bool history_record(const char *path, const json_t *document, const char *source,
                    struct error *error);

/** Prepares a statement. A failure is reported against the history's path. */
bool history_prepare(struct history *history, const char *sql, sqlite3_stmt **statement,
                     struct error *error);
bool history_run(struct history *history, const char *sql, struct error *error);
/** Steps; *row tells whether there is one. */
bool history_step(struct history *history, sqlite3_stmt *statement, bool *row, struct error *error);

#endif
