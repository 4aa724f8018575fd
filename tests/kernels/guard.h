/**
 * Memory between inaccessible pages: a read or write past the end (or before the start) of a buffer
 * placed against that side faults, and writes past the other side are found by guard_intact().
 */
#ifndef GUARD_H
#define GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "rng.h"

typedef struct guard {
    unsigned char *base; /**< first accessible byte */
    size_t capacity;     /**< accessible bytes, a multiple of the page */
    unsigned char *data; /**< the buffer placed last */
    size_t size;
    unsigned char poison;
} guard;

typedef enum guard_side { GUARD_END, GUARD_START } guard_side;

/** Maps room for at least capacity bytes; exits when the machine has none. */
guard guard_open(size_t capacity);
void guard_close(guard *g);

/**
 * Places size bytes against one side, aligned (a power of two), and poisons what surrounds them.
 * The bytes themselves are filled with garbage from r.
 */
void *guard_place(guard *g, guard_side side, size_t size, size_t alignment, rng *r);

/** Whether the poison around the buffer placed last is untouched. */
bool guard_intact(const guard *g);

#endif
