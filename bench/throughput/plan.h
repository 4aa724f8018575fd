/** The library's own convolutions as runners. */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include "throughput/operands.h"
#include "throughput/runner.h"

/**
 * @param copies_bytes  0 for one plan; else as many copies as have this many bytes of weights
 *                      together, cycled run by run.
 * @param status        why the plan was refused, when the result is false.
 */
bool plan_create(const struct operands *operands, nm_isa isa, nm_algorithm algorithm,
                 unsigned threads, size_t copies_bytes, struct runner *runner, nm_status *status,
                 struct error *error);

#endif
