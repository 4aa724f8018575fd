/** Something to time: one layer planned by one implementation, or a ceiling. */
#ifndef BENCH_RUNNER_H
#define BENCH_RUNNER_H

#include <stddef.h>
#include <stdint.h>

struct runner {
    void *state;
    /** One run of the layer; where there are copies of the plan, the next one's. */
    void (*run)(void *state);
    /** Converts the last run's output to NHWC of the operands' output type; NULL for a ceiling. */
    void (*fetch)(void *state, void *output);
    void (*destroy)(void *state);
    uint64_t macs; /**< of a run: the direct convolution's, padding taps included */

    char kernel[96]; /**< what was chosen, in the implementation's words */
    double plan_seconds;
    size_t weight_bytes;    /**< resident, of one plan; 0 where the implementation does not tell */
    size_t workspace_bytes; /**< likewise */
    size_t copies;          /**< of the plan, cycled */
};

static inline void runner_destroy(struct runner *runner) {
    if (runner->destroy)
        runner->destroy(runner->state);
    *runner = (struct runner){0};
}

#endif
