/** Allocation for small things, whose failure ends the program with the usual line. */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include <stddef.h>

/** Says that memory ran out and ends the program. */
_Noreturn void out_of_memory(void);

/** count * size zeroed bytes; ends the program when there are none. free() releases. */
void *need(size_t count, size_t size);
/** realloc() of count * size bytes that ends the program when there are none. */
void *need_more(void *old, size_t count, size_t size);
/** Bytes that can be taken without swapping; SIZE_MAX where the system does not tell. */
size_t memory_available(void);

char *need_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
