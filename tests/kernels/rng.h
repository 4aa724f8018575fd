/** Splitmix64 (Steele, Lea, Flood 2014): small, seedable, the same on every machine. */
#ifndef RNG_H
#define RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct rng {
    uint64_t state;
} rng;

static inline uint64_t rng_next(rng *r) {
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/** A generator of its own for each seed and name. */
static inline rng rng_named(uint64_t seed, const char *name) {
    rng r = {seed};
    for (; *name != '\0'; name++)
        r.state = rng_next(&r) ^ (unsigned char)*name;
    return r;
}

/** min..max, both included. */
static inline int64_t rng_between(rng *r, int64_t min, int64_t max) {
    return min + (int64_t)(rng_next(r) % (uint64_t)(max - min + 1));
}

/** -1 <= x < 1, in steps of 2^-23. */
static inline float rng_unit(rng *r) { return (float)(rng_next(r) >> 40) * 0x1p-23F - 1; }

static inline void rng_fill(rng *r, void *bytes, size_t n) {
    unsigned char *out = bytes;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)rng_next(r);
}

#endif
