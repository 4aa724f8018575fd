/** Something to time: one layer planned by one implementation, or a ceiling. */
#ifndef BENCH_RUNNER_H
#define BENCH_RUNNER_H

#include <omp.h>
#include <stddef.h>
#include <stdint.h>

struct runner {
    void *state;
    /** One run of the layer; where there are copies of the plan, the next one's. */
    void (*run)(void *state);
    /** Converts the last run's output to NHWC of the operands' output type; NULL for a ceiling. */
    void (*fetch)(void *state, void *output);
    /** Ends the busy waiting of the threads that are kept for the next run; NULL where none are. */
    void (*rest)(void *state);
    void (*destroy)(void *state);
    uint64_t macs; /**< of a run: the direct convolution's, padding taps included */

    char kernel[96]; /**< what was chosen, in the implementation's words */
    double plan_seconds;
    size_t weight_bytes;    /**< resident, of one plan; 0 where the implementation does not tell */
    size_t workspace_bytes; /**< likewise */
    size_t copies;          /**< of the plan, cycled */
    size_t cycled_bytes;    /**< of weights, over all copies */
};

/** Copies of a plan with that many bytes of weights for copies_bytes together: 1 where that is 0.
 * At most a thousand, which tiny weights would pass. */
static inline size_t runner_copies(size_t weight_bytes, size_t copies_bytes) {
    enum { MOST = 1000 };
    const size_t copies = weight_bytes ? (copies_bytes + weight_bytes - 1) / weight_bytes : 1;
    return copies < 1 ? 1 : copies > MOST ? MOST : copies;
}

static inline void runner_rest(const struct runner *runner) {
    if (runner->rest)
        runner->rest(runner->state);
}

/** `rest` of OpenMP's threads. */
static inline void runner_rest_openmp(void *state) {
    (void)state;
    omp_pause_resource_all(omp_pause_soft);
}

static inline void runner_destroy(struct runner *runner) {
    if (runner->destroy)
        runner->destroy(runner->state);
    *runner = (struct runner){0};
}

#endif
