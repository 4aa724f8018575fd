#include "throughput/measure.h"
#include "base/output.h"

#include <math.h>
#include <time.h>

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static struct sample repeat(const struct runner *runner, size_t iterations, size_t double_every) {
    const double cpu = cpu_seconds(), real = monotonic_seconds();
    for (size_t i = 0; i < iterations; i++)
        runner->run(runner->state);
    for (size_t i = 0; double_every && i < iterations / double_every; i++)
        runner->run(runner->state);
    const double real_taken = monotonic_seconds() - real, cpu_taken = cpu_seconds() - cpu;
    return (struct sample){real_taken / (double)iterations, cpu_taken / (double)iterations};
}

static size_t calibrate(const struct runner *runner, double min_time) {
    runner->run(runner->state);
    for (size_t iterations = 1;; iterations *= 2) {
        const double seconds = repeat(runner, iterations, 0).real;
        // A quarter of the time tells the rate well enough; the rest is not spent on guessing.
        if (seconds * (double)iterations >= min_time / 4)
            return seconds < min_time ? (size_t)ceil(min_time / seconds) : 1;
    }
}

static size_t round_up(size_t value, size_t multiple) {
    return multiple ? (value + multiple - 1) / multiple * multiple : value;
}

void measure(struct measured *items, size_t count, const struct measure_options *options) {
    for (size_t i = 0; i < count; i++)
        runner_rest(items[i].runner);
    for (size_t i = 0; i < count; i++) {
        items[i].iterations =
            round_up(calibrate(items[i].runner, options->min_time), options->double_every);
        runner_rest(items[i].runner);
    }
    for (size_t r = 0; r < options->repetitions; r++) {
        for (size_t i = 0; i < count; i++) {
            struct measured *item = &items[(i + r) % count];
            item->runner->run(item->runner->state);
            item->samples[r] = repeat(item->runner, item->iterations, options->double_every);
            runner_rest(item->runner);
            if (options->tick)
                options->tick(options->context);
        }
    }
}
