#include "base/memory.h"
#include "throughput/bench_run.h"

#include <math.h>
#include <string.h>

/** A figure, or null where it is unknown. */
static json_t *bytes_json(size_t bytes, bool known) {
    return known ? json_integer((json_int_t)bytes) : json_null();
}

/** What all rows of one benchmark share. */
static json_t *common(const struct bench *bench, const struct row *row, size_t family) {
    json_t *object = json_object();
    const struct {
        const char *key;
        json_t *value;
    } fields[] = {
        {"name", json_string(row->name)},
        {"family_index", json_integer((json_int_t)family)},
        {"per_family_instance_index", json_integer(0)},
        {"run_name", json_string(row->name)},
        {"repetitions", json_integer((json_int_t)bench->repetitions)},
        {"threads", json_integer(row->threads)},
        {"suite", json_string(row->suite->name)},
        {"layer", json_string(row->layer->name)},
        {"precision", json_string(nm_precision_name(row->precision))},
        {"implementation", json_string(row->implementation->name)},
        {"batch", json_integer((json_int_t)bench->batch)},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        json_object_set_new(object, fields[i].key, fields[i].value);
    if (row->message)
        json_object_set_new(object, "note", json_string(row->message));
    return object;
}

/** The share of the ceiling; null where there is none. */
static json_t *fraction_json(const struct row *row, double rate) {
    return row->ceiling > 0 ? json_real(rate / row->ceiling) : json_null();
}

static void add_counters(const struct row *row, json_t *object) {
    const bool known = row->runner.weight_bytes > 0;
    json_object_set_new(object, "label", json_string(row->runner.kernel));
    json_object_set_new(object, "macs", json_integer((json_int_t)row->runner.macs));
    json_object_set_new(object, "ceiling_macs_per_second",
                        row->ceiling > 0 ? json_real(row->ceiling) : json_null());
    json_object_set_new(object, "weight_bytes", bytes_json(row->runner.weight_bytes, known));
    json_object_set_new(object, "workspace_bytes", bytes_json(row->runner.workspace_bytes, known));
    json_object_set_new(object, "plan_seconds", json_real(row->runner.plan_seconds));
    json_object_set_new(object, "copies", json_integer((json_int_t)row->runner.copies));
    json_object_set_new(object, "cycled_bytes", json_integer((json_int_t)row->runner.cycled_bytes));
}

static void add_figures(json_t *object, double real, double cpu, double rate, json_t *fraction) {
    json_object_set_new(object, "real_time", json_real(real));
    json_object_set_new(object, "cpu_time", json_real(cpu));
    json_object_set_new(object, "time_unit", json_string("ns"));
    json_object_set_new(object, "macs_per_second", json_real(rate));
    json_object_set_new(object, "ceiling_fraction", fraction);
}

static void add_repetitions(const struct bench *bench, const struct row *row, size_t family,
                            json_t *list) {
    for (size_t r = 0; r < bench->repetitions; r++) {
        json_t *object = common(bench, row, family);
        const struct sample *sample = &row->samples[r];
        const double rate = (double)row->runner.macs / sample->real;
        json_object_set_new(object, "run_type", json_string("iteration"));
        json_object_set_new(object, "repetition_index", json_integer((json_int_t)r));
        json_object_set_new(object, "iterations", json_integer((json_int_t)row->iterations));
        add_figures(object, 1e9 * sample->real, 1e9 * sample->cpu, rate, fraction_json(row, rate));
        add_counters(row, object);
        json_array_append_new(list, object);
    }
}

static double pick(const struct stats *stats, const char *name) {
    return strcmp(name, "mean") == 0     ? stats->mean
           : strcmp(name, "median") == 0 ? stats->median
           : strcmp(name, "stddev") == 0 ? stats->stddev
           : strcmp(name, "cv") == 0     ? stats->cv
                                         : stats->min;
}

static void add_aggregates(const struct bench *bench, const struct row *row, size_t family,
                           json_t *list) {
    static const char *const names[] = {"mean", "median", "stddev", "cv", "min"};
    double *rates = need(bench->repetitions, sizeof *rates);
    for (size_t r = 0; r < bench->repetitions; r++)
        rates[r] = (double)row->runner.macs / row->samples[r].real;
    const struct stats rates_stats = stats_of(rates, bench->repetitions);
    free(rates);
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        const bool ratio = strcmp(names[n], "cv") == 0;
        const double unit = ratio ? 1 : 1e9, rate = pick(&rates_stats, names[n]);
        char name[512];
        json_t *object = common(bench, row, family);
        snprintf(name, sizeof name, "%.480s_%s", row->name, names[n]);
        json_object_set_new(object, "name", json_string(name));
        json_object_set_new(object, "run_type", json_string("aggregate"));
        json_object_set_new(object, "aggregate_name", json_string(names[n]));
        json_object_set_new(object, "aggregate_unit", json_string(ratio ? "percentage" : "time"));
        json_object_set_new(object, "iterations", json_integer((json_int_t)bench->repetitions));
        add_figures(object, unit * pick(&row->real, names[n]), unit * pick(&row->cpu, names[n]),
                    rate, ratio ? json_real(rate) : fraction_json(row, rate));
        json_object_set_new(object, "noisy", json_boolean(row_noisy(bench, row)));
        add_counters(row, object);
        json_array_append_new(list, object);
    }
}

static void add_unmeasured(const struct bench *bench, const struct row *row, size_t family,
                           json_t *list) {
    const bool failed = row->outcome == ROW_FAILED;
    json_t *object = common(bench, row, family);
    json_object_set_new(object, "run_type", json_string("iteration"));
    json_object_set_new(object, failed ? "error_occurred" : "skipped", json_true());
    json_object_set_new(object, failed ? "error_message" : "skip_message",
                        json_string(row->message));
    json_array_append_new(list, object);
}

static json_t *ceilings_json(const struct bench *bench) {
    json_t *list = json_array();
    for (size_t i = 0; i < bench->ceiling_count; i++) {
        const struct ceiling_record *c = &bench->ceilings[i];
        const struct stats s = stats_of(c->rates, c->count);
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:I, s:f, s:f, s:f, s:f, s:I}", "isa", nm_isa_name(c->isa),
                            "type", c->precision == NM_F32 ? "f32" : "int8", "threads",
                            (json_int_t)c->threads, "macs_per_second", s.median, "min", s.min,
                            "max", s.max, "cv", s.cv, "samples", (json_int_t)s.count));
    }
    return list;
}

static json_t *peers_json(const struct bench *bench) {
    json_t *list = json_object();
    for (size_t i = 0; i < bench->implementation_count; i++) {
        const struct peer *peer = bench->implementations[i].peer;
        char text[128];
        if (!peer)
            continue;
        peer->version(text, sizeof text);
        json_object_set_new(list, peer->name, json_string(text));
    }
    return list;
}

json_t *bench_json(const struct bench *bench, json_t *context) {
    json_t *rows = json_array();
    json_object_set_new(context, "ceilings", ceilings_json(bench));
    json_object_set_new(context, "peers", peers_json(bench));
    json_object_set_new(context, "min_time", json_real(bench->min_time));
    if (bench->double_every)
        json_object_set_new(context, "double_every", json_integer((json_int_t)bench->double_every));
    for (size_t i = 0; i < bench->row_count; i++) {
        const struct row *row = &bench->rows[i];
        if (row->outcome == ROW_MEASURED) {
            add_repetitions(bench, row, i, rows);
            add_aggregates(bench, row, i, rows);
        } else {
            add_unmeasured(bench, row, i, rows);
        }
    }
    json_t *document = json_pack("{s:O, s:o}", "context", context, "benchmarks", rows);
    if (!document)
        out_of_memory();
    return document;
}
