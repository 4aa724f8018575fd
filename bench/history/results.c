#include "history/results.h"
#include "base/file.h"
#include "base/json_input.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_KEYS = 7, MAX_METRICS = 10, NAME_SIZE = 512 };

struct metric {
    const char *name; /**< field of the row; "a.b" is field b of object a */
    const char *unit;
    bool higher_is_better;
};

/** How an array of a narrowmac document becomes series. */
struct layout {
    const char *kind, *array, *prefix;
    const char *keys[MAX_KEYS]; /**< fields that make the name: PREFIX.A/B/.., null ones left out */
    size_t required;            /**< how many of the keys every row has */
    const char *position;       /**< field that tells samples of one series apart, or NULL */
    struct metric metrics[MAX_METRICS];
};

static const struct layout layouts[] = {
    {"accuracy",
     "layers",
     "accuracy.",
     {"network", "layer", "precision", "scheme", "rounding", "input"},
     3,
     NULL,
     {{"max_abs_diff", "", false},
      {"sum_abs_diff", "", false},
      {"mean_abs_diff", "", false},
      {"sqnr_db", "dB", true},
      {"tflite_mismatches", "", false}}},
    {"accuracy",
     "networks",
     "accuracy.",
     {"network", "precision", "scheme"},
     2,
     NULL,
     {{"top1", "", true}}},
    {"fpga",
     "runs",
     "fpga.",
     {"design", "target"},
     2,
     "seed",
     {{"lut", "", false},
      {"ff", "", false},
      {"carry", "", false},
      {"dsp", "", false},
      {"bram", "", false},
      {"fmax_mhz", "MHz", true}}},
    {"fpga",
     "fit",
     "fit.",
     {"design", "target"},
     2,
     NULL,
     {{"macs", "", true}, {"fmax_mhz", "MHz", true}, {"gmacs", "GMAC/s", true}}},
    {"fpga",
     "asic",
     "asic.",
     {"design", "mapping", "clock_ns"},
     1,
     NULL,
     {{"cells", "", false},
      {"area_um2", "um2", false},
      {"slack_ns", "ns", true},
      {"fastest_clock_ns", "ns", false},
      {"power_w.internal", "W", false},
      {"power_w.switching", "W", false},
      {"power_w.leakage", "W", false},
      {"energy_per_mac_pj.total", "pJ", false}}},
};
enum { LAYOUT_COUNT = sizeof layouts / sizeof *layouts };

json_t *results_read(const char *path, struct error *error) {
    struct bytes bytes;
    json_t *document = NULL;
    if (file_read(path, &bytes, error))
        json_parse(path, bytes.data, bytes.size, &document, error);
    free(bytes.data);
    return document;
}

static struct series *series_of(struct results *results, const char *name,
                                const struct metric *metric) {
    // Samples of a series stand together in most documents: look from the end.
    for (size_t i = results->count; i > 0; i--) {
        struct series *series = &results->series[i - 1];
        if (strcmp(series->name, name) == 0 && strcmp(series->metric, metric->name) == 0)
            return series;
    }
    results->series = need_more(results->series, results->count + 1, sizeof *results->series);
    struct series *series = &results->series[results->count++];
    *series = (struct series){
        .name = need_format("%s", name),
        .metric = metric->name,
        .unit = metric->unit,
        .higher_is_better = metric->higher_is_better,
        .highest = INT64_MIN,
    };
    return series;
}

static void add_sample(struct series *series, int64_t position, double value) {
    // Most documents number their samples upwards: only a number that may be taken is looked for.
    for (size_t i = position > series->highest ? series->count : 0; i < series->count; i++) {
        if (series->position[i] == position) {
            position = (int64_t)series->count;
            i = (size_t)-1;
        }
    }
    const size_t count = series->count + 1;
    series->position = need_more(series->position, count, sizeof *series->position);
    series->value = need_more(series->value, count, sizeof *series->value);
    series->position[series->count] = position;
    series->value[series->count++] = value;
    if (position > series->highest)
        series->highest = position;
}

/** A series' attributes: what its first row says beyond the figures. */
static void set_attributes(struct series *series, const json_t *row, const char *const *drop) {
    if (series->attributes)
        return;
    json_t *rest = json_copy((json_t *)row);
    for (; *drop; drop++)
        json_object_del(rest, *drop);
    series->attributes = json_dumps(rest, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(rest);
}

static const json_t *field(const json_t *row, const char *path) {
    const char *dot = strchr(path, '.');
    if (!dot)
        return json_object_get(row, path);
    char outer[32];
    snprintf(outer, sizeof outer, "%.*s", (int)(dot - path), path);
    return json_object_get(json_object_get(row, outer), dot + 1);
}

/* ---- Google Benchmark --------------------------------------------------------------------- */

static bool nanoseconds(const char *unit, double *factor) {
    static const struct {
        const char *name;
        double factor;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (unit && strcmp(unit, units[i].name) == 0) {
            *factor = units[i].factor;
            return true;
        }
    }
    return false;
}

/** The name without what an aggregate appends, so that all of a benchmark's rows agree. */
static const char *run_name(const json_t *row) {
    const char *name = json_string_value(json_object_get(row, "run_name"));
    return name ? name : json_string_value(json_object_get(row, "name"));
}

static const char *text(const json_t *row, const char *key) {
    const char *value = json_string_value(json_object_get(row, key));
    return value ? value : "";
}

/** Whether processor time tells a benchmark's cost: it does for one thread, unless the author asked
 *  for another clock (Google Benchmark then says so in the name). */
static bool judge_by_cpu(const json_t *row) {
    const json_t *threads = json_object_get(row, "threads");
    return json_number_value(json_object_get(row, "cpu_time")) > 0 &&
           (!threads || json_integer_value(threads) == 1) && !strstr(run_name(row), "/real_time") &&
           !strstr(run_name(row), "/manual_time");
}

static void add_time(struct results *results, const json_t *row, const struct metric *metric,
                     bool judged, double factor) {
    static const char *const drop[] = {
        "name",           "run_name",         "run_type",
        "real_time",      "cpu_time",         "time_unit",
        "iterations",     "repetitions",      "threads",
        "family_index",   "aggregate_name",   "per_family_instance_index",
        "aggregate_unit", "repetition_index", NULL};
    struct series *series = series_of(results, run_name(row), metric);
    series->judged = judged;
    add_sample(series, (int64_t)series->count,
               json_number_value(json_object_get(row, metric->name)) * factor);
    set_attributes(series, row, drop);
}

static bool benchmark_row(const json_t *row, const char *where, struct results *results,
                          struct error *error) {
    static const struct metric real = {"real_time", "ns", false}, cpu = {"cpu_time", "ns", false};
    double factor;
    if (!run_name(row))
        return fail(error, "%s: no 'name'; give Google Benchmark's JSON", where);
    if (json_is_true(json_object_get(row, "error_occurred")) ||
        json_is_true(json_object_get(row, "skipped"))) {
        results->skipped++;
        return true;
    }
    const json_t *value = json_object_get(row, "real_time");
    if (!json_is_number(value))
        return fail(error, "%s (%.100s): no 'real_time'; give Google Benchmark's JSON", where,
                    run_name(row));
    if (!nanoseconds(text(row, "time_unit"), &factor))
        return fail(error, "%s (%.100s): 'time_unit' is none of ns, us, ms, s; correct it", where,
                    run_name(row));
    if (json_number_value(value) <= 0)
        return fail(error, "%s (%.100s): 'real_time' is not above 0; measure again", where,
                    run_name(row));
    const bool by_cpu = judge_by_cpu(row);
    add_time(results, row, &real, !by_cpu, factor);
    if (json_number_value(json_object_get(row, "cpu_time")) > 0)
        add_time(results, row, &cpu, by_cpu, factor);
    return true;
}

static bool is_aggregate(const json_t *row) {
    return strcmp(text(row, "run_type"), "aggregate") == 0 ||
           json_object_get(row, "aggregate_name");
}

static bool parse_benchmarks(const json_t *rows, const char *source, struct results *results,
                             struct error *error) {
    size_t i;
    json_t *row;
    char where[512];
    json_array_foreach(rows, i, row) {
        snprintf(where, sizeof where, "%.400s: benchmarks[%zu]", source, i);
        if (!is_aggregate(row) && !benchmark_row(row, where, results, error))
            return false;
    }
    if (results->count)
        return true;
    // Repetitions were not kept (--benchmark_report_aggregates_only): the median is one sample.
    json_array_foreach(rows, i, row) {
        snprintf(where, sizeof where, "%.400s: benchmarks[%zu]", source, i);
        if (strcmp(text(row, "aggregate_name"), "median") == 0 &&
            !benchmark_row(row, where, results, error))
            return false;
    }
    return true;
}

/* ---- narrowmac's own ---------------------------------------------------------------------- */

/** Appends what a key says to the name. */
static void append(char *name, size_t size, const char *separator, const json_t *key) {
    const size_t used = strlen(name);
    if (json_is_string(key))
        snprintf(name + used, size - used, "%s%s", separator, json_string_value(key));
    else
        snprintf(name + used, size - used, "%s%g", separator, json_number_value(key));
}

static bool row_name(const struct layout *layout, const json_t *row, const char *where,
                     char name[NAME_SIZE], struct error *error) {
    snprintf(name, NAME_SIZE, "%s", layout->prefix);
    for (size_t i = 0; i < MAX_KEYS && layout->keys[i]; i++) {
        const json_t *key = json_object_get(row, layout->keys[i]);
        if (i >= layout->required && (!key || json_is_null(key)))
            continue;
        if (!json_is_string(key) && !json_is_number(key))
            return fail(error, "%s: no '%s'; give the file as narrowmac wrote it", where,
                        layout->keys[i]);
        append(name, NAME_SIZE,
               i == 0                                  ? ""
               : strcmp(layout->keys[i], "layer") == 0 ? "."
                                                       : "/",
               key);
        if (strlen(name) == NAME_SIZE - 1)
            return fail(error, "%s: name longer than %d bytes; shorten it", where, NAME_SIZE - 2);
    }
    return true;
}

static bool narrowmac_row(const struct layout *layout, const json_t *row, const char *where,
                          struct results *results, struct error *error) {
    char name[NAME_SIZE];
    if (!row_name(layout, row, where, name, error))
        return false;
    const char *drop[MAX_KEYS + MAX_METRICS + 2] = {NULL};
    size_t dropped = 0, figures = 0;
    for (size_t i = 0; i < MAX_METRICS && layout->metrics[i].name; i++)
        drop[dropped++] = layout->metrics[i].name;
    if (layout->position)
        drop[dropped++] = layout->position;
    for (size_t i = 0; i < MAX_METRICS && layout->metrics[i].name; i++) {
        const json_t *value = field(row, layout->metrics[i].name);
        if (!value || json_is_null(value))
            continue;
        if (!json_is_number(value))
            return fail(error, "%s (%s): '%s' is not a number; give the file as it was written",
                        where, name, layout->metrics[i].name);
        struct series *series = series_of(results, name, &layout->metrics[i]);
        series->exact = series->judged = true;
        const json_t *position = layout->position ? json_object_get(row, layout->position) : NULL;
        add_sample(series, json_is_integer(position) ? json_integer_value(position) : 0,
                   json_number_value(value));
        set_attributes(series, row, drop);
        figures++;
    }
    results->skipped += figures == 0;
    return true;
}

static bool parse_layout(const struct layout *layout, const json_t *rows, const char *source,
                         struct results *results, struct error *error) {
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) {
        char where[512];
        snprintf(where, sizeof where, "%.400s: %s[%zu]", source, layout->array, i);
        if (!narrowmac_row(layout, row, where, results, error))
            return false;
    }
    return true;
}

/* ---- Whole documents ---------------------------------------------------------------------- */

static bool parse_any(const json_t *document, const char *source, struct results *results,
                      struct error *error) {
    const json_t *benchmarks = json_object_get(document, "benchmarks");
    if (json_is_array(benchmarks)) {
        results->kind = "bench";
        return parse_benchmarks(benchmarks, source, results, error);
    }
    for (size_t i = 0; i < LAYOUT_COUNT; i++) {
        const json_t *rows = json_object_get(document, layouts[i].array);
        if (!json_is_array(rows) || (results->kind && results->kind != layouts[i].kind))
            continue;
        results->kind = layouts[i].kind;
        if (!parse_layout(&layouts[i], rows, source, results, error))
            return false;
    }
    return results->kind ||
           fail(error,
                "%s: no results in it; give the --json of narrowmac bench or accuracy, the "
                "results.json of tools/fpga, or Google Benchmark's JSON",
                source);
}

bool results_parse(const json_t *document, const char *source, struct results *results,
                   struct error *error) {
    *results = (struct results){0};
    if (!parse_any(document, source, results, error)) {
        results_free(results);
        return false;
    }
    if (results->count == 0) {
        const size_t skipped = results->skipped;
        results_free(results);
        return fail(error, "%s: no figure in it (%zu rows failed or empty); measure again", source,
                    skipped);
    }
    return true;
}

void results_free(struct results *results) {
    for (size_t i = 0; i < results->count; i++) {
        free(results->series[i].name);
        free(results->series[i].attributes);
        free(results->series[i].position);
        free(results->series[i].value);
    }
    free(results->series);
    *results = (struct results){0};
}
