/** Which runs a user means. */
#ifndef BENCH_HISTORY_SELECT_H
#define BENCH_HISTORY_SELECT_H

#include "history/history.h"

/**
 * Puts the runs that a selector names into the temporary table side (side, run_id).
 *
 * A selector is a comma list of: a run's number; a build's label; a commit or the start of one (4
 * digits or more; "-dirty" appended for builds of changed sources); "latest", the build of the
 * newest run; "best", every run (the comparison picks the best build of each benchmark); the path
 * of a results file, which is added to the history: open it with HISTORY_COPY.
 *
 * @param side 0 base, 1 new.
 * @param best set where the selector is "best".
 */
bool history_select(struct history *history, const char *selector, int side, bool *best,
                    struct error *error);

/** Whether a selector, or a part of it, names a results file. */
bool selector_has_file(const char *selector);

#endif
