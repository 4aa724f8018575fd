/** The history as a reader sees it: each benchmark over its builds, with the changes marked. */
#ifndef BENCH_HISTORY_VIEW_H
#define BENCH_HISTORY_VIEW_H

#include "history/compare.h"

/** A benchmark at one build. */
struct view_point {
    char *build, *date; /**< date of the build's last run of it, UTC, ISO 8601 */
    size_t runs, samples;
    double level, median; /**< as of struct side */
    struct comparison
        since; /**< against the build before; verdict VERDICT_NEW_ONLY for the first */
};

struct view_row {
    char *name, *metric, *unit;
    char *machine; /**< "" for exact rows: they are the same everywhere */
    bool higher_is_better, exact;
    size_t count;
    struct view_point *point; /**< in order of time */
};

struct view {
    size_t count;
    struct view_row *row; /**< by name, metric, machine */
};

/**
 * Reads every run.
 *
 * @param last   most builds of a benchmark, the newest; 0: all.
 */
bool view_load(struct history *history, const struct selection *selection, size_t last,
               double threshold, struct view *view, struct error *error);

void view_free(struct view *view);

/** The newest point that is better or worse than the one before it; NULL where there is none. */
const struct view_point *view_last_change(const struct view_row *row);

#endif
