#include "base/cli.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/output.h"
#include "base/stats.h"
#include "base/table.h"
#include "command.h"
#include "throughput/ceiling.h"
#include "throughput/measure.h"

#include <jansson.h>
#include <stdlib.h>

enum { MAX_CEILINGS = 4 * NM_ISA_COUNT };

/** A measured ceiling: MACs a second. */
struct measured_ceiling {
    nm_isa isa;
    nm_precision precision;
    unsigned threads;
    struct stats rate;
};

struct options {
    size_t repetitions;
    double min_time;
    const char *json;
};

static const char *kind(nm_precision precision) { return precision == NM_F32 ? "f32" : "int8"; }

/** The ceilings to measure: every tier that has one, f32 and int8, one thread and all. */
static size_t list_ceilings(struct measured_ceiling *list) {
    const unsigned all = cpu_count();
    size_t count = 0;
    for (int isa = NM_ISA_AUTO + 1; isa < NM_ISA_COUNT; isa++) {
        if (!nm_isa_available((nm_isa)isa) || !ceiling_known((nm_isa)isa))
            continue;
        for (int wide = 0; wide < (all > 1 ? 2 : 1); wide++) {
            const unsigned threads = wide ? all : 1;
            list[count++] = (struct measured_ceiling){(nm_isa)isa, NM_F32, threads, {0}};
            list[count++] = (struct measured_ceiling){(nm_isa)isa, NM_W8A8, threads, {0}};
        }
    }
    return count;
}

static void measure_ceilings(const struct options *options, struct measured_ceiling *list,
                             size_t count) {
    struct runner *runners = need(count, sizeof *runners);
    struct measured *items = need(count, sizeof *items);
    double *rates = need(options->repetitions, sizeof *rates);
    for (size_t i = 0; i < count; i++) {
        runners[i] = ceiling_create(list[i].isa, list[i].precision, list[i].threads);
        items[i].runner = &runners[i];
        items[i].samples = need(options->repetitions, sizeof(struct sample));
    }
    measure(items, count,
            &(struct measure_options){options->repetitions, options->min_time, NULL, NULL});
    for (size_t i = 0; i < count; i++) {
        for (size_t r = 0; r < options->repetitions; r++)
            rates[r] = (double)runners[i].macs / items[i].samples[r].real;
        list[i].rate = stats_of(rates, options->repetitions);
        free(items[i].samples);
        runner_destroy(&runners[i]);
    }
    free(rates);
    free(items);
    free(runners);
}

static void print_tiers(void) {
    static const struct table_column columns[] = {
        {"tier", TABLE_LEFT}, {"state", TABLE_LEFT}, {NULL}};
    struct table *table = table_create(columns);
    for (int i = NM_ISA_AUTO + 1; i < NM_ISA_COUNT; i++) {
        const nm_isa isa = (nm_isa)i;
        table_row(table);
        table_cell(table, "%s", nm_isa_name(isa));
        table_cell(table, "%s%s%s", nm_isa_available(isa) ? "available" : "not available",
                   isa == nm_isa_best() ? ", chosen" : "",
                   nm_isa_available(isa) && nm_isa_emulated(isa)
                       ? ", emulated: timings mean nothing"
                       : "");
    }
    table_print(table, stdout);
}

static void print_caches(void) {
    struct cache caches[CACHE_MAX];
    const size_t count = caches_find(caches);
    printf("Caches   ");
    for (size_t i = 0; i < count; i++) {
        const bool mebi = caches[i].bytes >= 1 << 20;
        printf("%s L%d %s %zu %s", i ? "," : "", caches[i].level, caches[i].type,
               caches[i].bytes >> (mebi ? 20 : 10), mebi ? "MiB" : "KiB");
    }
    puts(count ? "" : " unknown");
}

static void print_all(const struct measured_ceiling *list, size_t count) {
    static const struct table_column columns[] = {
        {"ceiling", TABLE_LEFT},  {"type", TABLE_LEFT},
        {"threads", TABLE_RIGHT}, {"GMAC/s", TABLE_RIGHT},
        {"min", TABLE_RIGHT},     {"max", TABLE_RIGHT},
        {"cv %", TABLE_RIGHT},    {NULL},
    };
    printf("CPU       %s\n", cpu_model());
    printf("Threads   %u\n", cpu_count());
    print_caches();
    puts("");
    print_tiers();
    puts("");
    struct table *table = table_create(columns);
    for (size_t i = 0; i < count; i++) {
        const struct stats *s = &list[i].rate;
        table_row(table);
        table_cell(table, "%s", nm_isa_name(list[i].isa));
        table_cell(table, "%s", kind(list[i].precision));
        table_cell(table, "%u", list[i].threads);
        table_cell(table, "%.1f", 1e-9 * s->median);
        table_cell(table, "%.1f", 1e-9 * s->min);
        table_cell(table, "%.1f", 1e-9 * s->max);
        table_cell(table, "%.1f", 100 * s->cv);
    }
    table_print(table, stdout);
    puts("Multiply-accumulates back to back on registers: medians, the most a kernel can reach.");
}

static json_t *to_json(const struct measured_ceiling *list, size_t count) {
    json_t *tiers = json_array(), *ceilings = json_array();
    for (int i = NM_ISA_AUTO + 1; i < NM_ISA_COUNT; i++) {
        const nm_isa isa = (nm_isa)i;
        json_array_append_new(tiers,
                              json_pack("{s:s, s:b, s:b, s:b}", "isa", nm_isa_name(isa),
                                        "available", nm_isa_available(isa), "chosen",
                                        isa == nm_isa_best(), "emulated", nm_isa_emulated(isa)));
    }
    for (size_t i = 0; i < count; i++) {
        const struct stats *s = &list[i].rate;
        json_array_append_new(ceilings,
                              json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:I}", "isa",
                                        nm_isa_name(list[i].isa), "type", kind(list[i].precision),
                                        "threads", (int)list[i].threads, "macs_per_second",
                                        s->median, "min", s->min, "max", s->max, "cv", s->cv,
                                        "repetitions", (json_int_t)s->count));
    }
    json_t *document = json_pack("{s:o, s:o, s:o}", "context", context_create(), "tiers", tiers,
                                 "ceilings", ceilings);
    if (!document)
        out_of_memory();
    return document;
}

int cmd_cpuinfo(int argc, const char **argv) {
    struct options options = {.repetitions = 9, .min_time = 0.01};
    const struct cli cli = {
        .command = "cpuinfo",
        .options =
            (struct cli_option[]){{"repetitions", CLI_SIZE, &options.repetitions, "N", "Default 9",
                                   .min = 1, .max = 10000},
                                  {"min-time", CLI_NUMBER, &options.min_time, "SEC",
                                   "Least time of a repetition; default 0.01", .min = 1e-6,
                                   .max = 3600},
                                  {"json", CLI_STRING, &options.json, "FILE",
                                   "The same as JSON; '-' is standard output, without the tables"},
                                  {0}},
    };
    int status;
    if (!cli_parse(&cli, argc, argv, NULL, &status))
        return status;
    struct error error;
    if (options.json && !output_check(options.json, &error))
        return report(&error);
    struct measured_ceiling list[MAX_CEILINGS];
    const size_t count = list_ceilings(list);
    measure_ceilings(&options, list, count);
    if (!options.json || strcmp(options.json, "-") != 0)
        print_all(list, count);
    if (!options.json)
        return EXIT_DONE;
    json_t *document = to_json(list, count);
    const bool good = output_json(options.json, document, &error);
    json_decref(document);
    return good ? EXIT_DONE : report(&error);
}
