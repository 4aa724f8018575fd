#include "throughput/ceiling.h"
#include "base/memory.h"

#include <omp.h>
#include <stdlib.h>

/** Enough that a parallel region's start does not count: some 100 us. */
enum { ITERATIONS = 1000 };

struct ceiling {
    nm_isa isa;
    nm_precision precision;
    unsigned threads;
    uint64_t macs;
};

static void run(void *state) {
    struct ceiling *ceiling = state;
    uint64_t macs = 0;
#pragma omp parallel num_threads(ceiling->threads) reduction(+ : macs)
    macs += nm_peak_run(ceiling->isa, ceiling->precision, ITERATIONS);
    ceiling->macs = macs;
}

bool ceiling_known(nm_isa isa) { return nm_peak_run(isa, NM_W8A8, 1) > 0; }

struct runner ceiling_create(nm_isa isa, nm_precision precision, unsigned threads) {
    struct ceiling *ceiling = need(1, sizeof *ceiling);
    *ceiling = (struct ceiling){.isa = isa, .precision = precision, .threads = threads};
    run(ceiling);
    return (struct runner){.state = ceiling,
                           .run = run,
                           .rest = threads > 1 ? runner_rest_openmp : NULL,
                           .destroy = free,
                           .macs = ceiling->macs};
}
