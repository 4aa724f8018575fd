/** Runs as they come out of the history, benchmark by benchmark. */
#ifndef BENCH_OBSERVED_H
#define BENCH_OBSERVED_H

#include "history/history.h"

#include <regex.h>

/** A run's samples of one benchmark. */
struct observed {
    int side; /**< 0 base, 1 new; -1: takes no part */
    int64_t run;
    char *build, *machine, *date;
    size_t count;
    int64_t *position; /**< repetition or seed */
    double *value;
    double level; /**< what the run says: lower quartile of times, median of exact values */
    double median, fastest;
};

/** One measured quantity, its runs in order of time. */
struct benchmark {
    char *name, *metric, *unit;
    bool higher_is_better, exact;
    size_t count;
    struct observed *run;
};

/** May take the strings: whatever it takes it sets to NULL. */
typedef bool benchmark_visitor(void *context, struct benchmark *benchmark, struct error *error);

/** Which benchmarks to look at. */
struct selection {
    const regex_t *filter; /**< names; or NULL */
    const char *metric;    /**< or NULL: those judged by default */
};

/**
 * Visits the benchmarks of the runs in the temporary table side (history_select()), by name.
 *
 * @param by_machine timed benchmarks of two machines are visited apart.
 */
bool benchmarks_visit(struct history *history, const struct selection *selection, bool by_machine,
                      benchmark_visitor *visit, void *context, struct error *error);

/** Compiles a filter's extended regular expression; regfree() releases. */
bool filter_compile(const char *text, regex_t *filter, struct error *error);

#endif
