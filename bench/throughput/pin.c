#include "throughput/pin.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

void pin_threads(const char **argv) {
    if (getenv("OMP_PROC_BIND") || getenv("OMP_PLACES") || getenv("GOMP_CPU_AFFINITY"))
        return;
    char program[PATH_MAX];
    // The link's target: /proc/self/exe itself would be the emulator under qemu.
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return;
    program[length] = '\0';
    setenv("OMP_PROC_BIND", "close", 1);
    setenv("OMP_PLACES", "cores", 1);
    execv(program, (char *const *)argv);
}
