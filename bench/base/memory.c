#include "base/memory.h"
#include "base/error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void out_of_memory(void) {
    struct error error;
    fail_memory(&error, "memory");
    exit(report(&error));
}

static void *checked(void *memory) {
    if (!memory)
        out_of_memory();
    return memory;
}

void *need(size_t count, size_t size) { return checked(calloc(count ? count : 1, size)); }

void *need_more(void *old, size_t count, size_t size) {
    return checked(reallocarray(old, count ? count : 1, size));
}

size_t memory_available(void) {
    static const char key[] = "MemAvailable:";
    FILE *file = fopen("/proc/meminfo", "r");
    char line[128];
    size_t bytes = SIZE_MAX;
    while (file && bytes == SIZE_MAX && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, sizeof key - 1) == 0)
            bytes = strtoul(line + sizeof key - 1, NULL, 10) << 10;
    }
    if (file)
        fclose(file);
    return bytes;
}

char *need_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    return checked(text);
}
