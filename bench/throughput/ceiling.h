/** The machine's ceilings as runners: multiply-accumulates back to back on registers. */
#ifndef BENCH_CEILING_H
#define BENCH_CEILING_H

#include "throughput/runner.h"

#include <narrowmac.h>
#include <stdbool.h>

/** Whether the tier has a ceiling to measure: the scalar reference has none. */
bool ceiling_known(nm_isa isa);

/** @param precision NM_F32 or, for all integer ones, NM_W8A8. Of a tier that ceiling_known(). */
struct runner ceiling_create(nm_isa isa, nm_precision precision, unsigned threads);

#endif
