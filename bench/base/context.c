#include "base/context.h"
#include "base/memory.h"
#include "build_info.h"

#include <limits.h>
#include <narrowmac.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/** First line of a small file, without its newline; "" where it cannot be read. */
static void read_line(const char *path, char *text, size_t size) {
    text[0] = '\0';
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    if (fgets(text, (int)size, file))
        text[strcspn(text, "\n")] = '\0';
    fclose(file);
}

/** The value of a "key : value" line of /proc/cpuinfo; "" where there is none. */
static void read_cpuinfo(const char *key, char *text, size_t size) {
    text[0] = '\0';
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file)
        return;
    char line[512];
    const size_t length = strlen(key);
    while (!text[0] && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (colon && strncmp(line, key, length) == 0 && strspn(line + length, " \t") > 0)
            snprintf(text, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
    }
    fclose(file);
}

static size_t count_cpus(const char *list) {
    size_t count = 0;
    for (const char *at = list; *at;) {
        char *end;
        const long first = strtol(at, &end, 10);
        const long last = *end == '-' ? strtol(end + 1, &end, 10) : first;
        if (end == at)
            return 0;
        count += (size_t)(last - first + 1);
        at = *end == ',' ? end + 1 : end;
    }
    return count;
}

/** Fills one cache from sysfs; false where index is past the last. */
static bool read_sysfs(int index, struct cache *cache) {
    static const char *const types[] = {"Data", "Instruction", "Unified"};
    static const char *const fields[] = {"level", "type", "size", "shared_cpu_list"};
    char text[4][128];
    for (size_t f = 0; f < 4; f++) {
        char path[128];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index,
                 fields[f]);
        read_line(path, text[f], sizeof text[f]);
    }
    char *unit;
    const unsigned long size = strtoul(text[2], &unit, 10);
    *cache = (struct cache){
        .level = (int)strtol(text[0], NULL, 10),
        .type = "Unified",
        .bytes = size << (*unit == 'K'   ? 10
                          : *unit == 'M' ? 20
                                         : 0),
        .sharing = count_cpus(text[3]),
    };
    for (size_t t = 0; t < 3; t++) {
        if (strcmp(text[1], types[t]) == 0)
            cache->type = types[t];
    }
    return text[0][0] != '\0';
}

#if defined(__x86_64__)
#include <cpuid.h>

/** AMD's older leaves, which virtual machines fill even where the newer ones read zero. */
static size_t read_cpuid(struct cache caches[CACHE_MAX]) {
    unsigned a, b, c, d;
    size_t count = 0;
    if (__get_cpuid(0x80000005, &a, &b, &c, &d))
        caches[count++] = (struct cache){1, "Data", (size_t)(c >> 24) << 10, 0};
    if (__get_cpuid(0x80000006, &a, &b, &c, &d)) {
        caches[count++] = (struct cache){2, "Unified", (size_t)(c >> 16) << 10, 0};
        caches[count++] = (struct cache){3, "Unified", (size_t)(d >> 18) << 19, 0};
    }
    return count;
}
#else
static size_t read_cpuid(struct cache caches[CACHE_MAX]) {
    (void)caches;
    return 0;
}
#endif

static size_t drop_unknown(struct cache *caches, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (caches[i].bytes >= 1024)
            caches[kept++] = caches[i];
    }
    return kept;
}

size_t caches_find(struct cache caches[CACHE_MAX]) {
    size_t count = 0;
    while (count < CACHE_MAX && read_sysfs((int)count, &caches[count]))
        count++;
    count = drop_unknown(caches, count);
    return count ? count : drop_unknown(caches, read_cpuid(caches));
}

size_t cache_largest(size_t fallback) {
    struct cache caches[CACHE_MAX];
    const size_t count = caches_find(caches);
    size_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        if (caches[i].bytes > largest)
            largest = caches[i].bytes;
    }
    return largest ? largest : fallback;
}

unsigned cpu_count(void) { return (unsigned)omp_get_num_procs(); }

const char *cpu_model(void) {
    static char model[256];
    if (!model[0])
        read_cpuinfo("model name", model, sizeof model);
    if (!model[0])
        snprintf(model, sizeof model, "unknown");
    return model;
}

double cpu_mhz(void) {
    char text[64];
    read_line("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", text, sizeof text);
    const double kilohertz = strtod(text, NULL);
    if (kilohertz > 0)
        return kilohertz / 1000;
    read_cpuinfo("cpu MHz", text, sizeof text);
    return strtod(text, NULL);
}

static json_t *caches_json(void) {
    struct cache caches[CACHE_MAX];
    const size_t count = caches_find(caches);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:i, s:I, s:I}", "type", caches[i].type, "level",
                                        caches[i].level, "size", (json_int_t)caches[i].bytes,
                                        "num_sharing", (json_int_t)caches[i].sharing));
    return list;
}

static json_t *load_json(void) {
    double load[3];
    const int count = getloadavg(load, 3);
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_real(load[i]));
    return list;
}

/** Whether the clock follows the load, as Google Benchmark judges it. */
static bool scaling_enabled(void) {
    char governor[32];
    read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor, sizeof governor);
    return governor[0] && strcmp(governor, "performance") != 0;
}

json_t *context_create(void) {
    char date[64], program[PATH_MAX];
    const time_t now = time(NULL);
    struct tm local;
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S%z", localtime_r(&now, &local));
    const size_t length = strlen(date); // ISO 8601 wants +02:00
    memmove(date + length - 1, date + length - 2, 3);
    date[length - 2] = ':';
    const ssize_t got = readlink("/proc/self/exe", program, sizeof program - 1);
    program[got > 0 ? got : 0] = '\0';
    struct utsname host;
    if (uname(&host) != 0)
        host = (struct utsname){.nodename = "unknown"};
    char commit[] = BUILD_COMMIT;
    char *const mark = strstr(commit, "-dirty");
    const bool dirty = mark != NULL;
    if (mark)
        *mark = '\0';
    const double mhz = cpu_mhz();
    const nm_isa isa = nm_isa_best();
    json_t *context = json_pack(
        "{s:s, s:s, s:s, s:I, s:o, s:b, s:o, s:o, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:s, s:b, "
        "s:i, s:s, s:s, s:i}",
        "date", date, "host_name", host.nodename, "executable", program, "num_cpus",
        (json_int_t)cpu_count(), "mhz_per_cpu",
        mhz > 0 ? json_integer((json_int_t)mhz) : json_null(), "cpu_scaling_enabled",
        scaling_enabled(), "caches", caches_json(), "load_avg", load_json(), "library_build_type",
        BUILD_TYPE, "library_version", nm_version(), "git_commit", commit, "git_dirty", dirty,
        "compiler", BUILD_COMPILER, "compiler_flags", BUILD_FLAGS, "cpu_model", cpu_model(), "isa",
        nm_isa_name(isa), "isa_emulated", nm_isa_emulated(isa), "openmp_threads",
        omp_get_max_threads(), "kernel", host.release, "machine", host.machine,
        "json_schema_version", 1);
    if (!context)
        out_of_memory();
    return context;
}
