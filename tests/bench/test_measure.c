/**
 * What is timed, how often and in which order: measure() with a clock that only runs advance, so
 * that every figure is exact.
 */
#include "tap.h"
#include "throughput/measure.h"

#include <string.h>

enum { ITEMS = 3, REPETITIONS = 4, MOST_EVENTS = 4096 };

/* Powers of two, whose sums are exact. */
#define TICK (1.0 / 4096)
#define MIN_TIME (16 * TICK)

/** What happened, in order: the letter of the item that ran, '-' a rest, '.' a tick. */
static struct {
    double now;
    char events[MOST_EVENTS];
    size_t count;
} world;

double monotonic_seconds(void) { return world.now; }

static void note(char event) {
    if (world.count + 1 < MOST_EVENTS)
        world.events[world.count++] = event;
}

struct layer {
    char letter;
    unsigned ticks; /* of a run */
};

static void run(void *state) {
    const struct layer *layer = state;
    world.now += layer->ticks * TICK;
    note(layer->letter);
}

static void rest(void *state) {
    (void)state;
    note('-');
}

static void tick(void *context) {
    ++*(size_t *)context;
    note('.');
}

/** Where calibration has ended: each item has rested before it and after it. */
static const char *first_repetition(void) {
    const char *at = world.events;
    for (size_t rests = 0; rests < 2 * ITEMS && *at; ++at)
        rests += *at == '-';
    return at;
}

/** The expected events of a repetition: an untimed run, `runs` timed ones, a rest, a tick. */
static bool takes_repetition(const char **events, char letter, size_t runs) {
    const size_t all = 1 + runs;
    for (size_t i = 0; i < all; ++i)
        if ((*events)[i] != letter)
            return false;
    if (strncmp(*events + all, "-.", 2) != 0)
        return false;
    *events += all + 2;
    return true;
}

/** Measures runs of 1, 3 and 20 ticks; `iterations` is what each is to be run in a repetition. */
static void check(const char *name, size_t double_every, const size_t *iterations) {
    struct layer layers[ITEMS] = {{'a', 1}, {'b', 3}, {'c', 20}};
    struct runner runners[ITEMS];
    struct sample samples[ITEMS][REPETITIONS];
    struct measured items[ITEMS];
    memset(&world, 0, sizeof world);
    for (size_t i = 0; i < ITEMS; ++i) {
        runners[i] = (struct runner){.state = &layers[i], .run = run, .rest = rest};
        items[i] = (struct measured){.runner = &runners[i], .samples = samples[i]};
    }
    size_t ticks = 0;
    const struct measure_options options = {.repetitions = REPETITIONS,
                                            .min_time = MIN_TIME,
                                            .tick = tick,
                                            .context = &ticks,
                                            .double_every = double_every};
    measure(items, ITEMS, &options);

    tap_ok(strncmp(world.events, "---a", 4) == 0, "%s: all rest before the first run", name);
    tap_ok(ticks == ITEMS * REPETITIONS, "%s: a tick a repetition", name);
    const char *events = first_repetition();
    bool in_turn = true;
    for (size_t r = 0; r < REPETITIONS && in_turn; ++r)
        for (size_t i = 0; i < ITEMS && in_turn; ++i) {
            const size_t item = (i + r) % ITEMS, n = iterations[item];
            in_turn = takes_repetition(&events, layers[item].letter,
                                       n + (double_every ? n / double_every : 0));
        }
    tap_ok(in_turn && *events == '\0', "%s: a repetition of each in turn, the order rotating",
           name);
    for (size_t i = 0; i < ITEMS; ++i) {
        const double cost = layers[i].ticks * TICK;
        const double slower = double_every ? cost / (double)double_every : 0;
        bool exact = items[i].iterations == iterations[i];
        for (size_t r = 0; r < REPETITIONS; ++r)
            exact = exact && samples[i][r].real == cost + slower;
        tap_ok(exact, "%s: %u ticks, %zu times", name, layers[i].ticks, iterations[i]);
    }
}

int main(void) {
    check("plain", 0, (const size_t[]){16, 6, 1});
    check("every fourth run twice", 4, (const size_t[]){16, 8, 4});
    return tap_done();
}
