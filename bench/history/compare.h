/** What changed between two sets of runs, and how sure that is. The method: README.md. */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include "history/observed.h"

enum verdict {
    VERDICT_WORSE,
    VERDICT_BETTER,
    VERDICT_UNCERTAIN, /**< too noisy to tell, or too little data */
    VERDICT_SAME,
    VERDICT_BASE_ONLY,
    VERDICT_NEW_ONLY,
    VERDICT_COUNT
};

/** "slower" and "faster" for times, "worse" and "better" for exact rows, .. */
const char *verdict_name(enum verdict verdict, bool exact);

/** What one side knows of a benchmark. */
struct side {
    size_t runs, samples;
    double level;  /**< median of the runs' levels (observed.h); NaN without runs */
    double median; /**< of the runs' medians; likewise */
};

/** Where the noise between runs is known from. */
enum noise_source {
    NOISE_NONE, /**< the runs themselves show it */
    NOISE_GIVEN,
    NOISE_ASSUMED,
    NOISE_HISTORY,
    NOISE_REPETITIONS, /**< how far a run's own repetitions lie apart, where that is more */
};

/** "given", "assumed", "history", "repetitions"; NULL for none. */
const char *noise_source_name(enum noise_source source);

struct comparison {
    struct side side[2]; /**< base, new */
    double ratio;        /**< new / base; NaN where there is none (one side only, base 0) */
    double low, high;    /**< 99% confidence interval of the ratio, 0..infinity; NaN if exact */
    double p;            /**< Mann-Whitney, not below what the noise between runs allows; NaN if
                              exact */
    double p_adjusted;   /**< for all rows that are judged together */
    bool by_run;         /**< the unit is a run's level; else a repetition */
    bool interleaved;    /**< the sides' runs take turns */
    double noise; /**< between runs, relative standard deviation that was allowed for; 0 where
                       the runs themselves show it */
    enum noise_source noise_source;
    enum verdict verdict;
};

struct comparison_options {
    double threshold; /**< least relative change that counts, e.g. 0.03 */
    double noise;     /**< between runs, relative standard deviation; NaN: learn it */
    bool across_machines;
    struct selection selection;
};

/** A comparison and what it is of. */
struct comparison_row {
    char *name, *metric, *unit;
    bool higher_is_better, exact;
    char *best[2]; /**< build that stands for a side that is "best"; else NULL */
    struct comparison comparison;
};

struct comparison_rows {
    size_t count;
    struct comparison_row *row; /**< by verdict, then by size of the change, then by name */
};

/**
 * Compares the runs in the temporary table side (history_select()).
 *
 * @param best which sides mean the best build of each benchmark, among runs of the machine and not
 *             on the other side.
 * @return false where the sides share no machine (and across_machines is not set).
 */
bool compare(struct history *history, const bool best[2], const struct comparison_options *options,
             struct comparison_rows *rows, struct error *error);

void comparison_rows_free(struct comparison_rows *rows);

/** How many rows have the verdict. */
size_t comparison_rows_count(const struct comparison_rows *rows, enum verdict verdict);

/** Compares one benchmark's sides; the verdicts of timed rows wait for comparisons_judge(). */
bool compare_sides(struct history *history, const struct benchmark *benchmark,
                   const struct comparison_options *options, struct comparison *comparison,
                   struct error *error);

/** A comparison and its direction, to be judged with others. */
struct judged {
    struct comparison *comparison;
    bool higher_is_better;
};

/** Corrects for the number of timed comparisons and gives their verdicts. */
void comparisons_judge(const struct judged *list, size_t count, double threshold);

/** The constants of the method. */
extern const double compare_confidence, compare_false_discovery, compare_assumed_noise;
enum { COMPARE_LEAST_RUNS = 5 }; /**< a side, for a run to be the unit */

#endif
