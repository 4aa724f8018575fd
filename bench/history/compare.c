#include "history/compare.h"
#include "base/memory.h"
#include "base/stats.h"
#include "history/noise.h"
#include "history/stats_rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const double compare_confidence = 0.99, compare_false_discovery = 0.01,
             compare_assumed_noise = 0.02;

const char *noise_source_name(enum noise_source source) {
    static const char *const names[] = {NULL, "given", "assumed", "history", "repetitions"};
    return names[source];
}

static const double equal_within = 1e-12; // of exact values that went through decimal text

const char *verdict_name(enum verdict verdict, bool exact) {
    static const char *const names[2][VERDICT_COUNT] = {
        {"slower", "faster", "too noisy to tell", "same", "only in base", "only in new"},
        {"worse", "better", "nothing in common", "same", "only in base", "only in new"},
    };
    return names[exact][verdict];
}

/* ---- The two sides ------------------------------------------------------------------------ */

/** Levels of a side's runs: of all builds, or of the one that a run belongs to. */
static size_t levels_of(const struct benchmark *benchmark, int side, const struct observed *alike,
                        double *levels) {
    size_t count = 0;
    for (size_t i = 0; i < benchmark->count; i++) {
        const struct observed *run = &benchmark->run[i];
        if (run->side == side && (!alike || strcmp(run->build, alike->build) == 0))
            levels[count++] = run->level;
    }
    return count;
}

/** Keeps, of a side that holds many builds, the one with the best level. Returns its name. */
static char *keep_best(struct benchmark *benchmark, int side) {
    double *levels = need(benchmark->count, sizeof *levels);
    const struct observed *best = NULL;
    double best_level = 0;
    for (size_t i = 0; i < benchmark->count; i++) {
        const struct observed *run = &benchmark->run[i];
        if (run->side != side)
            continue;
        const double level = stats_of(levels, levels_of(benchmark, side, run, levels)).median;
        if (!best || (benchmark->higher_is_better ? level > best_level : level < best_level)) {
            best = run;
            best_level = level;
        }
    }
    free(levels);
    if (!best)
        return NULL;
    for (size_t i = 0; i < benchmark->count; i++) {
        struct observed *run = &benchmark->run[i];
        if (run->side == side && strcmp(run->build, best->build) != 0)
            run->side = -1;
    }
    return need_format("%s", best->build);
}

static struct side describe_side(const struct benchmark *benchmark, int side) {
    struct side described = {.level = NAN, .median = NAN};
    double *figures = need(benchmark->count, sizeof *figures);
    for (size_t i = 0; i < benchmark->count; i++) {
        if (benchmark->run[i].side == side) {
            figures[described.runs++] = benchmark->run[i].median;
            described.samples += benchmark->run[i].count;
        }
    }
    if (described.runs) {
        described.median = stats_of(figures, described.runs).median;
        levels_of(benchmark, side, NULL, figures);
        described.level = stats_of(figures, described.runs).median;
    }
    free(figures);
    return described;
}

/* ---- Exact rows --------------------------------------------------------------------------- */

/** The newest run of a side: exact results do not vary, so one is enough. */
static const struct observed *newest(const struct benchmark *benchmark, int side) {
    for (size_t i = benchmark->count; i > 0; i--) {
        if (benchmark->run[i - 1].side == side)
            return &benchmark->run[i - 1];
    }
    return NULL;
}

/** Medians over the positions (seeds) that both have; returns how many there are. */
static size_t common_medians(const struct observed *a, const struct observed *b, double *first,
                             double *second) {
    double *values[2] = {need(a->count, sizeof(double)), need(a->count, sizeof(double))};
    size_t count = 0;
    for (size_t i = 0; i < a->count; i++) {
        for (size_t j = 0; j < b->count; j++) {
            if (a->position[i] == b->position[j]) {
                values[0][count] = a->value[i];
                values[1][count++] = b->value[j];
                break;
            }
        }
    }
    if (count) {
        *first = stats_of(values[0], count).median;
        *second = stats_of(values[1], count).median;
    }
    free(values[0]);
    free(values[1]);
    return count;
}

static void compare_exact(const struct benchmark *benchmark, struct comparison *row) {
    double base, new;
    row->verdict = VERDICT_UNCERTAIN;
    if (!common_medians(newest(benchmark, 0), newest(benchmark, 1), &base, &new))
        return;
    row->side[0].level = row->side[0].median = base;
    row->side[1].level = row->side[1].median = new;
    row->ratio = base != 0 ? new / base : NAN;
    if (fabs(new - base) <= equal_within * fmax(fabs(base), fabs(new)))
        row->verdict = VERDICT_SAME;
    else
        row->verdict = (new > base) == benchmark->higher_is_better ? VERDICT_BETTER : VERDICT_WORSE;
}

/* ---- Timed rows --------------------------------------------------------------------------- */

/** Whether the sides take turns often enough that what drifts over time meets both alike. */
static bool take_turns(const struct benchmark *benchmark, size_t least_runs) {
    size_t turns = 0;
    int last = -1;
    for (size_t i = 0; i < benchmark->count; i++) {
        const int side = benchmark->run[i].side;
        if (side < 0)
            continue;
        turns += last >= 0 && side != last;
        last = side;
    }
    return turns >= least_runs;
}

/** Logarithms of a side's units: its runs' levels, or all its repetitions. */
static double *units_of(const struct benchmark *benchmark, int side, bool by_run, size_t *count) {
    double *units = NULL;
    *count = 0;
    for (size_t i = 0; i < benchmark->count; i++) {
        const struct observed *run = &benchmark->run[i];
        if (run->side != side)
            continue;
        const size_t more = by_run ? 1 : run->count;
        units = need_more(units, *count + more, sizeof *units);
        for (size_t k = 0; k < more; k++)
            units[(*count)++] = log(by_run ? run->level : run->value[k]);
    }
    return units;
}

/** How far above its fastest repetition a side's typical one lies, relative: the trace of what else
 *  the machine did, which will not have been the same in another run. */
static double disturbance(const struct benchmark *benchmark, int side) {
    double *excess = need(benchmark->count, sizeof *excess);
    size_t count = 0;
    for (size_t i = 0; i < benchmark->count; i++) {
        const struct observed *run = &benchmark->run[i];
        if (run->side == side)
            excess[count++] = run->median / run->fastest - 1;
    }
    const double typical = stats_of(excess, count).median;
    free(excess);
    return typical;
}

static bool find_noise(struct history *history, const struct benchmark *benchmark, double given,
                       struct comparison *row, struct error *error) {
    row->noise = given;
    row->noise_source = NOISE_GIVEN;
    if (!isnan(given))
        return true;
    if (!noise_learn(history, benchmark->name, benchmark->metric, newest(benchmark, 1)->machine,
                     &row->noise, error))
        return false;
    row->noise_source = NOISE_HISTORY;
    if (isnan(row->noise)) {
        row->noise = compare_assumed_noise;
        row->noise_source = NOISE_ASSUMED;
    }
    const double apart = fmax(disturbance(benchmark, 0), disturbance(benchmark, 1));
    if (apart > row->noise) {
        row->noise = apart;
        row->noise_source = NOISE_REPETITIONS;
    }
    return true;
}

/** Adds the noise between runs, as if each side were one run, to interval and p value. */
static void add_noise(struct comparison *row, struct shift *shift) {
    const double z = normal_quantile((1 + compare_confidence) / 2);
    const double floor = M_SQRT2 * log1p(row->noise);
    const double below = shift->estimate - shift->low, above = shift->high - shift->estimate;
    const double error = hypot((below + above) / 2 / z, floor);
    shift->low = shift->estimate - hypot(below, z * floor);
    shift->high = shift->estimate + hypot(above, z * floor);
    row->p = fmax(row->p, erfc(fabs(shift->estimate) / error / M_SQRT2));
}

/** All but the verdict, which waits for the other rows' p values. */
static bool compare_timed(struct history *history, const struct benchmark *benchmark,
                          const struct comparison_options *options, struct comparison *row,
                          struct error *error) {
    const size_t least =
        row->side[0].runs < row->side[1].runs ? row->side[0].runs : row->side[1].runs;
    row->by_run = least >= COMPARE_LEAST_RUNS;
    row->interleaved = take_turns(benchmark, least);
    size_t m, n;
    double *base = units_of(benchmark, 0, row->by_run, &m);
    double *new = units_of(benchmark, 1, row->by_run, &n);
    row->p = mann_whitney(base, m, new, n);
    struct shift shift = hodges_lehmann(base, m, new, n, compare_confidence);
    free(base);
    free(new);
    bool good = true;
    if (!row->by_run || !row->interleaved) {
        good = find_noise(history, benchmark, options->noise, row, error);
        if (row->noise > 0)
            add_noise(row, &shift);
    }
    row->ratio = exp(shift.estimate);
    row->low = exp(shift.low);
    row->high = exp(shift.high);
    return good;
}

static enum verdict judge_timed(const struct comparison *row, bool higher_is_better,
                                double threshold) {
    const double most = 1 + threshold;
    const bool sure = row->p_adjusted <= compare_false_discovery && (row->low > 1 || row->high < 1);
    if (sure && (row->ratio >= most || row->ratio <= 1 / most))
        return (row->ratio > 1) == higher_is_better ? VERDICT_BETTER : VERDICT_WORSE;
    return row->low > 1 / most && row->high < most ? VERDICT_SAME : VERDICT_UNCERTAIN;
}

void comparisons_judge(const struct judged *list, size_t count, double threshold) {
    double *p = need(count, sizeof *p);
    for (size_t i = 0; i < count; i++)
        p[i] = list[i].comparison->p;
    benjamini_hochberg(p, count);
    for (size_t i = 0; i < count; i++) {
        struct comparison *row = list[i].comparison;
        row->p_adjusted = p[i];
        if (!isnan(row->p))
            row->verdict = judge_timed(row, list[i].higher_is_better, threshold);
    }
    free(p);
}

/* ---- One benchmark ------------------------------------------------------------------------ */

bool compare_sides(struct history *history, const struct benchmark *benchmark,
                   const struct comparison_options *options, struct comparison *row,
                   struct error *error) {
    *row = (struct comparison){.ratio = NAN, .low = NAN, .high = NAN, .p = NAN, .p_adjusted = NAN};
    for (int side = 0; side < 2; side++)
        row->side[side] = describe_side(benchmark, side);
    if (!row->side[0].runs || !row->side[1].runs) {
        row->verdict = row->side[0].runs ? VERDICT_BASE_ONLY : VERDICT_NEW_ONLY;
        return true;
    }
    if (!benchmark->exact)
        return compare_timed(history, benchmark, options, row, error);
    compare_exact(benchmark, row);
    return true;
}

struct comparing {
    struct history *history;
    const bool *best;
    const struct comparison_options *options;
    struct comparison_rows *rows;
};

static bool compare_benchmark(void *context, struct benchmark *benchmark, struct error *error) {
    const struct comparing *comparing = context;
    struct comparison_rows *rows = comparing->rows;
    struct comparison_row row = {
        .higher_is_better = benchmark->higher_is_better,
        .exact = benchmark->exact,
    };
    for (int side = 0; side < 2; side++) {
        if (comparing->best[side])
            row.best[side] = keep_best(benchmark, side);
    }
    const bool good =
        compare_sides(comparing->history, benchmark, comparing->options, &row.comparison, error);
    row.name = benchmark->name;
    row.metric = benchmark->metric;
    row.unit = benchmark->unit;
    benchmark->name = benchmark->metric = benchmark->unit = NULL;
    rows->row = need_more(rows->row, rows->count + 1, sizeof *rows->row);
    rows->row[rows->count++] = row;
    return good;
}

/* ---- Machines ----------------------------------------------------------------------------- */

/** Of a "best" side: only other runs of the machines that the other side ran on. */
static bool narrow_best(struct history *history, const bool best[2], bool across_machines,
                        struct error *error) {
    for (int side = 0; side < 2; side++) {
        char sql[512];
        snprintf(sql, sizeof sql,
                 "DELETE FROM temp.side WHERE side = %d AND (run_id IN (SELECT run_id FROM "
                 "temp.side WHERE side = %d) %s)",
                 side, !side,
                 across_machines ? ""
                                 : "OR run_id IN (SELECT id FROM run WHERE kind = 'bench' AND "
                                   "machine NOT IN (SELECT machine FROM run JOIN temp.side d ON "
                                   "d.run_id = run.id WHERE d.side != temp.side.side))");
        if (best[side] && !history_run(history, sql, error))
            return false;
    }
    return true;
}

static bool check_machines(struct history *history, struct error *error) {
    // Only timings depend on the machine; accuracy and hardware results do not.
    static const char sql[] =
        "SELECT a.machine, b.machine FROM run a JOIN run b JOIN temp.side p ON p.run_id = a.id"
        " JOIN temp.side q ON q.run_id = b.id WHERE p.side <= q.side AND a.kind = 'bench' AND"
        " b.kind = 'bench' AND a.machine != b.machine LIMIT 1";
    sqlite3_stmt *statement;
    bool row;
    if (!history_prepare(history, sql, &statement, error))
        return false;
    bool good = history_step(history, statement, &row, error);
    if (good && row)
        good = fail(error,
                    "different machines: '%.300s' and '%.300s'; compare runs of one machine, or "
                    "give --across-machines",
                    (const char *)sqlite3_column_text(statement, 0),
                    (const char *)sqlite3_column_text(statement, 1));
    sqlite3_finalize(statement);
    return good;
}

/* ---- Together ----------------------------------------------------------------------------- */

static double change(const struct comparison_row *row) {
    const double ratio = row->comparison.ratio;
    return isnan(ratio) || ratio <= 0 ? 0 : fabs(log(ratio));
}

static int by_importance(const void *a, const void *b) {
    const struct comparison_row *x = a, *y = b;
    if (x->comparison.verdict != y->comparison.verdict)
        return x->comparison.verdict < y->comparison.verdict ? -1 : 1;
    if (change(x) != change(y))
        return change(x) > change(y) ? -1 : 1;
    const int names = strcmp(x->name, y->name);
    return names ? names : strcmp(x->metric, y->metric);
}

static void judge_rows(struct comparison_rows *rows, double threshold) {
    struct judged *list = need(rows->count, sizeof *list);
    for (size_t i = 0; i < rows->count; i++)
        list[i] = (struct judged){&rows->row[i].comparison, rows->row[i].higher_is_better};
    comparisons_judge(list, rows->count, threshold);
    free(list);
    if (rows->count)
        qsort(rows->row, rows->count, sizeof *rows->row, by_importance);
}

bool compare(struct history *history, const bool best[2], const struct comparison_options *options,
             struct comparison_rows *rows, struct error *error) {
    *rows = (struct comparison_rows){0};
    if (!narrow_best(history, best, options->across_machines, error) ||
        (!options->across_machines && !check_machines(history, error)))
        return false;
    struct comparing comparing = {history, best, options, rows};
    if (!benchmarks_visit(history, &options->selection, false, compare_benchmark, &comparing,
                          error)) {
        comparison_rows_free(rows);
        return false;
    }
    judge_rows(rows, options->threshold);
    return true;
}

void comparison_rows_free(struct comparison_rows *rows) {
    for (size_t i = 0; i < rows->count; i++) {
        struct comparison_row *row = &rows->row[i];
        free(row->name);
        free(row->metric);
        free(row->unit);
        free(row->best[0]);
        free(row->best[1]);
    }
    free(rows->row);
    *rows = (struct comparison_rows){0};
}

size_t comparison_rows_count(const struct comparison_rows *rows, enum verdict verdict) {
    size_t count = 0;
    for (size_t i = 0; i < rows->count; i++)
        count += rows->row[i].comparison.verdict == verdict;
    return count;
}
