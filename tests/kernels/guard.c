#include "guard.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/** As far as a stray write is looked for: beyond the longest vector and any row of the tests. */
#define POISONED 4096

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

guard guard_open(size_t capacity) {
    const size_t page = page_size();
    capacity = (capacity / page + 1) * page;
    unsigned char *mapping = mmap(NULL, capacity + 2 * page, PROT_NONE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED || mprotect(mapping + page, capacity, PROT_READ | PROT_WRITE) != 0) {
        perror("guard_open");
        exit(EXIT_FAILURE);
    }
    return (guard){.base = mapping + page, .capacity = capacity, .data = mapping + page};
}

void guard_close(guard *g) { munmap(g->base - page_size(), g->capacity + 2 * page_size()); }

static unsigned char *poison_start(const guard *g) {
    const size_t before = (size_t)(g->data - g->base);
    return g->data - (before < POISONED ? before : POISONED);
}

static unsigned char *poison_end(const guard *g) {
    const size_t after = (size_t)(g->base + g->capacity - (g->data + g->size));
    return g->data + g->size + (after < POISONED ? after : POISONED);
}

void *guard_place(guard *g, guard_side side, size_t size, size_t alignment, rng *r) {
    if (size > g->capacity) {
        fprintf(stderr, "guard_place: %zu bytes do not fit in %zu\n", size, g->capacity);
        exit(EXIT_FAILURE);
    }
    const size_t offset = side == GUARD_START ? 0 : (g->capacity - size) & ~(alignment - 1);
    g->data = g->base + offset;
    g->size = size;
    g->poison = (unsigned char)rng_next(r);
    memset(poison_start(g), g->poison, (size_t)(g->data - poison_start(g)));
    memset(g->data + size, g->poison, (size_t)(poison_end(g) - (g->data + size)));
    rng_fill(r, g->data, size);
    return g->data;
}

bool guard_intact(const guard *g) {
    for (const unsigned char *p = poison_start(g); p < g->data; p++)
        if (*p != g->poison)
            return false;
    for (const unsigned char *p = g->data + g->size; p < poison_end(g); p++)
        if (*p != g->poison)
            return false;
    return true;
}
