/** The machine's ceilings as runners: multiply-accumulates back to back on registers. */
#ifndef BENCH_CEILING_H
#define BENCH_CEILING_H

#include "runner.h"

#include <narrowmac.h>

/** @param precision NM_F32 or, for all integer ones, NM_W8A8. The tier must be available. */
struct runner ceiling_create(nm_isa isa, nm_precision precision, unsigned threads);

#endif
