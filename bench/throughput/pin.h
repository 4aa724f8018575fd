/** One OpenMP thread a core, and none wandering. */
#ifndef BENCH_PIN_H
#define BENCH_PIN_H

/**
 * Binds threads to cores unless the user said otherwise (OMP_PROC_BIND, OMP_PLACES,
 * GOMP_CPU_AFFINITY). The runtime reads its environment when it is loaded: the program starts
 * itself anew with it set. Goes on unpinned where that fails. argv is main()'s.
 */
void pin_threads(const char **argv);

#endif
