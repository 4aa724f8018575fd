#include "base/context.h"
#include "base/table.h"
#include "throughput/bench_run.h"

#include <math.h>

static void percent_cell(struct table *table, bool known, double fraction) {
    if (known)
        table_cell(table, "%.0f%%", 100 * fraction);
    else
        table_cell(table, "-");
}

static void print_row(const struct bench *bench, const struct row *row, struct table *table) {
    table_row(table);
    table_cell(table, "%s", row->layer->name);
    table_cell(table, "%s", nm_precision_name(row->precision));
    table_cell(table, "%s", row->implementation->name);
    table_cell(table, "%u", row->threads);
    if (row->outcome != ROW_MEASURED) {
        table_cell(table, "%s", row->outcome == ROW_FAILED ? "FAILED" : "skipped");
        return;
    }
    table_cell(table, "%.1f", 1e6 * row->real.median);
    table_cell(table, "%.1f", 1e6 * row->real.min);
    table_cell(table, "%.1f%s", 100 * row->real.cv, row_noisy(bench, row) ? "~" : " ");
    table_cell(table, "%.1f", 1e-9 * row_rate(row));
    percent_cell(table, row->ceiling > 0, row_rate(row) / row->ceiling);
    if (row->runner.weight_bytes)
        table_cell(table, "%.1f", (double)row->runner.weight_bytes / 1024);
    else
        table_cell(table, "-");
    table_cell(table, "%.0f", 1e6 * row->runner.plan_seconds);
    table_cell(table, "%s%s", row->runner.kernel, row->message ? " *" : "");
}

/** What was done to keep the weights out of the caches, and whether it was enough. */
static void print_cold(const struct row *row, FILE *file) {
    const double bytes = (double)row->runner.cycled_bytes, cache = (double)cache_largest(0);
    fprintf(file, "  %s: weights cycled through %zu copies, %.1f MB", row->name, row->runner.copies,
            1e-6 * bytes);
    if (cache > 0)
        fprintf(file, ", %.2g times the largest cache%s", bytes / cache,
                bytes < cache ? ": NOT COLD" : "");
    fputc('\n', file);
}

static void print_notes(const struct bench *bench, const struct suite *suite, FILE *file) {
    bool noisy = false;
    for (size_t i = 0; i < bench->row_count; i++) {
        const struct row *row = &bench->rows[i];
        if (row->suite != suite)
            continue;
        noisy |= row->outcome == ROW_MEASURED && row_noisy(bench, row);
        if (row->message)
            fprintf(file, "* %s: %s\n", row->name, row->message);
        if (row->outcome == ROW_MEASURED && suite->cache_multiple > 0)
            print_cold(row, file);
    }
    if (noisy)
        fprintf(file,
                "~ noisy: the repetitions vary by more than %.0f%%, or other programs had the "
                "processor.\n",
                100 * bench->noisy_cv);
}

/** Geometric means over the layers of a suite that have the figure. */
struct mean {
    double logs;
    size_t count;
};

static void mean_add(struct mean *mean, double value) {
    mean->logs += log(value);
    mean->count++;
}

static double mean_of(const struct mean *mean) { return exp(mean->logs / (double)mean->count); }

static void ratio_cell(struct table *table, const struct mean *mean) {
    if (mean->count)
        table_cell(table, "%.2f", mean_of(mean));
    else
        table_cell(table, "-");
}

/** The measured row of the same layer and threads by another precision and implementation. */
static const struct row *counterpart(const struct bench *bench, const struct row *row,
                                     nm_precision precision, const struct implementation *who) {
    for (size_t i = 0; i < bench->row_count; i++) {
        const struct row *other = &bench->rows[i];
        if (other->layer == row->layer && other->threads == row->threads &&
            other->precision == precision && other->implementation == who &&
            other->outcome == ROW_MEASURED)
            return other;
    }
    return NULL;
}

/** Means of one precision by one implementation at one thread count. */
struct summary {
    const struct row *first; /**< of its rows */
    struct mean rate, fraction, over_w8a8;
    struct mean over_peer[TABLE_MAX_COLUMNS]; /**< by index of implementation */
};

static bool belongs(const struct summary *summary, const struct row *row) {
    return row->suite == summary->first->suite && row->precision == summary->first->precision &&
           row->implementation == summary->first->implementation &&
           row->threads == summary->first->threads && row->outcome == ROW_MEASURED;
}

static struct summary summarize(const struct bench *bench, const struct row *first) {
    struct summary s = {.first = first};
    const nm_precision peer_precision = first->precision == NM_F32 ? NM_F32 : NM_W8A8;
    for (size_t i = 0; i < bench->row_count; i++) {
        const struct row *row = &bench->rows[i];
        if (!belongs(&s, row))
            continue;
        mean_add(&s.rate, row_rate(row));
        if (row->ceiling > 0)
            mean_add(&s.fraction, row_rate(row) / row->ceiling);
        const struct row *other = counterpart(bench, row, NM_W8A8, row->implementation);
        if (other)
            mean_add(&s.over_w8a8, row_rate(row) / row_rate(other));
        for (size_t p = 0; p < bench->implementation_count; p++) {
            if (!bench->implementations[p].peer)
                continue;
            other = counterpart(bench, row, peer_precision, &bench->implementations[p]);
            if (other)
                mean_add(&s.over_peer[p], row_rate(row) / row_rate(other));
        }
    }
    return s;
}

/** Whether an earlier row stands for the same summary. */
static bool summarized(const struct bench *bench, size_t index) {
    for (size_t i = 0; i < index; i++) {
        const struct summary earlier = {.first = &bench->rows[i]};
        if (bench->rows[i].outcome == ROW_MEASURED && belongs(&earlier, &bench->rows[index]))
            return true;
    }
    return false;
}

static void print_summary_row(const struct bench *bench, const struct summary *s,
                              struct table *table) {
    table_row(table);
    table_cell(table, "%s", nm_precision_name(s->first->precision));
    table_cell(table, "%s", s->first->implementation->name);
    table_cell(table, "%u", s->first->threads);
    table_cell(table, "%zu", s->rate.count);
    table_cell(table, "%.1f", 1e-9 * mean_of(&s->rate));
    percent_cell(table, s->fraction.count > 0, mean_of(&s->fraction));
    ratio_cell(table, &s->over_w8a8);
    for (size_t p = 0; p < bench->implementation_count; p++) {
        if (bench->implementations[p].peer)
            ratio_cell(table, &s->over_peer[p]);
    }
}

static void print_summary(const struct bench *bench, const struct suite *suite, FILE *file) {
    struct table_column columns[TABLE_MAX_COLUMNS + 1] = {
        {"precision", TABLE_LEFT}, {"by", TABLE_LEFT},      {"threads", TABLE_RIGHT},
        {"layers", TABLE_RIGHT},   {"GMAC/s", TABLE_RIGHT}, {"ceiling", TABLE_RIGHT},
        {"/ w8a8", TABLE_RIGHT},
    };
    char titles[TABLE_MAX_COLUMNS][32];
    size_t count = 7;
    for (size_t p = 0; p < bench->implementation_count && count < TABLE_MAX_COLUMNS; p++) {
        if (!bench->implementations[p].peer)
            continue;
        snprintf(titles[count], sizeof titles[count], "/ %s", bench->implementations[p].name);
        columns[count] = (struct table_column){titles[count], TABLE_RIGHT};
        count++;
    }
    struct table *table = table_create(columns);
    for (size_t i = 0; i < bench->row_count; i++) {
        const struct row *row = &bench->rows[i];
        if (row->suite != suite || row->outcome != ROW_MEASURED || summarized(bench, i))
            continue;
        const struct summary summary = summarize(bench, row);
        print_summary_row(bench, &summary, table);
    }
    fprintf(file,
            "\nGeometric means over %s; ratios to the w8a8 of the same tier, and to the "
            "peers' int8 (f32 to f32):\n",
            suite->name);
    table_print(table, file);
}

static void print_ceilings(const struct bench *bench, FILE *file) {
    for (size_t i = 0; i < bench->ceiling_count; i++) {
        const struct ceiling_record *c = &bench->ceilings[i];
        const struct stats s = stats_of(c->rates, c->count);
        fprintf(file, "ceiling %s %s, %u thread%s: %.1f GMAC/s (%.1f to %.1f, cv %.1f%%)%s\n",
                nm_isa_name(c->isa), c->precision == NM_F32 ? "f32" : "int8", c->threads,
                c->threads > 1 ? "s" : "", 1e-9 * s.median, 1e-9 * s.min, 1e-9 * s.max, 100 * s.cv,
                nm_isa_emulated(c->isa) ? ", emulated: timings mean nothing" : "");
    }
}

void bench_print(const struct bench *bench, const struct suite *suite, FILE *file) {
    static const struct table_column columns[] = {
        {"layer", TABLE_LEFT},
        {"precision", TABLE_LEFT},
        {"by", TABLE_LEFT},
        {"threads", TABLE_RIGHT},
        {"median us", TABLE_RIGHT},
        {"min us", TABLE_RIGHT},
        {"cv %", TABLE_RIGHT},
        {"GMAC/s", TABLE_RIGHT},
        {"ceiling", TABLE_RIGHT},
        {"weights KiB", TABLE_RIGHT},
        {"plan us", TABLE_RIGHT},
        {"kernel", TABLE_LEFT},
        {NULL},
    };
    struct table *table = table_create(columns);
    const struct layer *layer = NULL;
    for (size_t i = 0; i < bench->row_count; i++) {
        const struct row *row = &bench->rows[i];
        if (row->suite != suite)
            continue;
        if (layer && row->layer != layer)
            table_rule(table);
        layer = row->layer;
        print_row(bench, row, table);
    }
    fprintf(file, "\nSuite %s, batch %zu, %zu repetitions of at least %g s, interleaved:\n",
            suite->name, bench->batch, bench->repetitions, bench->min_time);
    table_print(table, file);
    print_notes(bench, suite, file);
    print_summary(bench, suite, file);
    print_ceilings(bench, file);
    fprintf(file, "MACs are the direct convolution's, padding taps included, whatever the "
                  "algorithm: Winograd may pass the ceiling.\n");
}
