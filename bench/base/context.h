/** What a result was measured on: machine, build, run. */
#ifndef BENCH_CONTEXT_H
#define BENCH_CONTEXT_H

#include <jansson.h>
#include <stddef.h>

/** A level of the data or unified cache, as one core sees it. */
struct cache {
    int level;
    const char *type; /**< "Data", "Instruction" or "Unified" */
    size_t bytes;
    size_t sharing; /**< CPUs that share it; 0 where unknown */
};

enum { CACHE_MAX = 8 };

/** The caches of CPU 0, from the operating system, then from CPUID; sizes below 1 KiB, which
 *  virtual machines report, count as unknown. Returns how many; 0 where nothing is known. */
size_t caches_find(struct cache caches[CACHE_MAX]);

/** Bytes of the largest cache; fallback where unknown. */
size_t cache_largest(size_t fallback);

/** CPUs that this process may run on. */
unsigned cpu_count(void);

/** The CPU's name as it gives it; "unknown" where it gives none. */
const char *cpu_model(void);

/** Nominal or current clock; 0 where unknown. */
double cpu_mhz(void);

/**
 * The `context` object of a result file, in Google Benchmark's terms plus: library_version,
 * git_commit, git_dirty, compiler, compiler_flags, cpu_model, isa, isa_emulated, openmp_threads,
 * kernel. New reference; ends the program when out of memory.
 */
json_t *context_create(void);

#endif
