#include "base/cli.h"
#include "base/format.h"
#include "base/memory.h"
#include "base/output.h"
#include "base/table.h"
#include "command.h"
#include "history/compare.h"
#include "history/history_select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char notes[] =
    "BASE and NEW: a commit or the start of one, a label, a run's number, 'latest' (the newest\n"
    "build), 'best' (the best build of each benchmark), a results file, or a comma list of these.\n"
    "Without DB, both are results files. Exit status 1 when a row is slower or worse.\n"
    "\n"
    "A run counts by the lower quartile of its repetitions: what disturbs mostly adds time. Rows "
    "of\n"
    "one thread are compared by CPU time, which leaves out what other programs took; '--metric\n"
    "real_time' takes the wall clock. The ratio new/base (Hodges-Lehmann) has a 99% confidence\n"
    "interval; p is of the Mann-Whitney U test, adjusted over all rows (Benjamini-Hochberg). With\n"
    "fewer than 5 runs on a side the repetitions are compared. There, and where the sides' runs "
    "do\n"
    "not take turns, noise between runs is added: what the history shows, else 2%, and no less\n"
    "than the repetitions lie apart. 'same' needs the whole interval within the threshold.\n"
    "Accuracy and hardware rows are compared exactly.\n";

struct request {
    const char *db, *selector[2];
    const char *filter, *metric, *json, *csv;
    double threshold, noise; /**< percent; noise < 0: learn it */
    bool across_machines;
};

static const char *reason(const struct comparison *row, char text[96]) {
    text[0] = '\0';
    if (!isfinite(row->ratio) || isnan(row->p))
        return text;
    const char *unit = row->by_run ? "runs" : "repetitions";
    if (row->noise_source != NOISE_NONE)
        snprintf(text, 96, "%s; noise between runs %.1f%%, %s", unit, 100 * row->noise,
                 noise_source_name(row->noise_source));
    else
        snprintf(text, 96, "%s", unit);
    return text;
}

static void interval(const struct comparison *row, char text[48]) {
    if (isnan(row->low))
        text[0] = '\0';
    else if (row->low <= 0 || !isfinite(row->high))
        snprintf(text, 48, "unbounded");
    else
        snprintf(text, 48, "%.3f..%.3f", row->low, row->high);
}

static void print_rows(const struct comparison_rows *rows) {
    static const struct table_column columns[] = {
        {"benchmark", TABLE_LEFT}, {"metric", TABLE_LEFT},
        {"base", TABLE_RIGHT},     {"new", TABLE_RIGHT},
        {"change", TABLE_RIGHT},   {"ratio, 99%", TABLE_RIGHT},
        {"p", TABLE_RIGHT},        {"runs", TABLE_RIGHT},
        {"verdict", TABLE_LEFT},   {"unit of the test", TABLE_LEFT},
        {NULL, TABLE_LEFT},
    };
    struct table *table = table_create(columns);
    for (size_t i = 0; i < rows->count; i++) {
        const struct comparison_row *row = &rows->row[i];
        const struct comparison *c = &row->comparison;
        char a[32], b[32], change[32], range[48], p[32] = "", why[96];
        interval(c, range);
        if (!isnan(c->p_adjusted))
            snprintf(p, sizeof p, "%.2g", c->p_adjusted);
        table_row(table);
        table_cell(table, "%s", row->name);
        table_cell(table, "%s", row->metric);
        table_cell(table, "%s", format_figure(a, c->side[0].level, row->unit));
        table_cell(table, "%s", format_figure(b, c->side[1].level, row->unit));
        table_cell(table, "%s", format_change(change, c->ratio));
        table_cell(table, "%s", range);
        table_cell(table, "%s", p);
        table_cell(table, "%zu, %zu", c->side[0].runs, c->side[1].runs);
        table_cell(table, "%s", verdict_name(c->verdict, row->exact));
        table_cell(table, "%s", reason(c, why));
    }
    table_print(table, stdout);
}

/** Whether more runs, taken in turns, would tell more. */
static bool would_interleaving_help(const struct comparison_rows *rows) {
    for (size_t i = 0; i < rows->count; i++) {
        const struct comparison *c = &rows->row[i].comparison;
        if (c->verdict == VERDICT_UNCERTAIN && (!c->by_run || !c->interleaved) && !isnan(c->p))
            return true;
    }
    return false;
}

static void print_summary(const struct comparison_rows *rows) {
    static const char *const words[VERDICT_COUNT] = {"slower or worse",   "faster or better",
                                                     "too noisy to tell", "same",
                                                     "only in base",      "only in new"};
    printf("\n%zu rows:", rows->count);
    const char *separator = " ";
    for (int v = 0; v < VERDICT_COUNT; v++) {
        const size_t count = comparison_rows_count(rows, (enum verdict)v);
        if (count) {
            printf("%s%zu %s", separator, count, words[v]);
            separator = ", ";
        }
    }
    printf("\n");
    if (would_interleaving_help(rows))
        printf("To tell more: %d runs a side or more, taken in turns (base, new, base, new, ..).\n",
               COMPARE_LEAST_RUNS);
}

/* ---- JSON and CSV ------------------------------------------------------------------------- */

static json_t *side_json(const struct comparison_row *row, int side) {
    const struct side *s = &row->comparison.side[side];
    return json_pack("{s:o, s:o, s:I, s:I, s:s?}", "level", json_figure(s->level), "median",
                     json_figure(s->median), "runs", (json_int_t)s->runs, "samples",
                     (json_int_t)s->samples, "best_build", row->best[side]);
}

static json_t *row_json(const struct comparison_row *row) {
    const struct comparison *c = &row->comparison;
    return json_pack(
        "{s:s, s:s, s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s?, s:b, s:o, s:s?, s:s}",
        "name", row->name, "metric", row->metric, "unit", row->unit, "higher_is_better",
        row->higher_is_better, "exact", row->exact, "base", side_json(row, 0), "new",
        side_json(row, 1), "ratio", json_figure(c->ratio), "ratio_low", json_figure(c->low),
        "ratio_high", json_figure(c->high), "p", json_figure(c->p), "p_adjusted",
        json_figure(c->p_adjusted), "unit_of_test",
        isnan(c->p) ? NULL
        : c->by_run ? "run"
                    : "repetition",
        "interleaved", c->interleaved, "noise", json_figure(c->noise), "noise_source",
        noise_source_name(c->noise_source), "verdict", verdict_name(c->verdict, row->exact));
}

static json_t *rows_json(const struct request *request, const struct comparison_rows *rows) {
    json_t *list = json_array(), *counts = json_object();
    for (size_t i = 0; i < rows->count; i++) {
        const struct comparison_row *row = &rows->row[i];
        const char *verdict = verdict_name(row->comparison.verdict, row->exact);
        const json_int_t count = json_integer_value(json_object_get(counts, verdict));
        json_object_set_new(counts, verdict, json_integer(count + 1));
        json_array_append_new(list, row_json(row));
    }
    return json_pack("{s:s?, s:s, s:s, s:{s:f, s:f, s:f, s:i, s:f}, s:o, s:b, s:o}", "history",
                     request->db, "base", request->selector[0], "new", request->selector[1],
                     "method", "threshold", request->threshold / 100, "confidence",
                     compare_confidence, "false_discovery_rate", compare_false_discovery,
                     "least_runs", COMPARE_LEAST_RUNS, "assumed_noise", compare_assumed_noise,
                     "verdicts", counts, "regression",
                     comparison_rows_count(rows, VERDICT_WORSE) > 0, "rows", list);
}

static bool write_csv(const char *path, const struct comparison_rows *rows, struct error *error) {
    struct output output;
    if (!output_open(&output, path, error))
        return false;
    FILE *file = output.file;
    fputs("name,metric,unit,base,new,ratio,ratio_low,ratio_high,p_adjusted,base_runs,new_runs,"
          "base_samples,new_samples,verdict\r\n",
          file);
    for (size_t i = 0; i < rows->count; i++) {
        const struct comparison_row *row = &rows->row[i];
        const struct comparison *c = &row->comparison;
        const char *const texts[] = {row->name, row->metric, row->unit};
        const double figures[] = {c->side[0].level, c->side[1].level, c->ratio,
                                  c->low,           c->high,          c->p_adjusted};
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            csv_text(file, texts[k]);
            fputc(',', file);
        }
        for (size_t k = 0; k < sizeof figures / sizeof *figures; k++) {
            csv_figure(file, figures[k]);
            fputc(',', file);
        }
        fprintf(file, "%zu,%zu,%zu,%zu,%s\r\n", c->side[0].runs, c->side[1].runs,
                c->side[0].samples, c->side[1].samples, verdict_name(c->verdict, row->exact));
    }
    return output_commit(&output, error);
}

static bool write_rows(const struct request *request, const struct comparison_rows *rows,
                       struct error *error) {
    if (request->csv && !write_csv(request->csv, rows, error))
        return false;
    if (!request->json)
        return true;
    json_t *document = rows_json(request, rows);
    const bool good =
        document ? output_json(request->json, document, error) : fail_memory(error, "--json");
    json_decref(document);
    return good;
}

/* ---- The command -------------------------------------------------------------------------- */

static bool compare_selected(struct history *history, const struct request *request,
                             const struct comparison_options *options, struct comparison_rows *rows,
                             struct error *error) {
    bool best[2];
    for (int side = 0; side < 2; side++) {
        if (!history_select(history, request->selector[side], side, &best[side], error))
            return false;
    }
    if (best[0] && best[1])
        return fail(error, "compare: both sides are 'best'; name a build on one side");
    if (!compare(history, best, options, rows, error))
        return false;
    return rows->count ||
           fail(error, "compare: no benchmark to compare%s; see 'narrowmac history'",
                request->filter || request->metric ? " that the options let through" : "");
}

static bool run(const struct request *request, bool *regression, struct error *error) {
    regex_t filter;
    struct comparison_options options = {
        .threshold = request->threshold / 100,
        .noise = request->noise < 0 ? NAN : request->noise / 100,
        .across_machines = request->across_machines,
        .selection = {request->filter ? &filter : NULL, request->metric},
    };
    if (request->filter && !filter_compile(request->filter, &filter, error))
        return false;
    const bool files =
        selector_has_file(request->selector[0]) || selector_has_file(request->selector[1]);
    struct history history;
    struct comparison_rows rows = {0};
    bool good = history_open(request->db, files ? HISTORY_COPY : HISTORY_READ, &history, error);
    if (good) {
        good = compare_selected(&history, request, &options, &rows, error);
        history_close(&history);
    }
    good = good && write_rows(request, &rows, error);
    if (good && !(request->json && strcmp(request->json, "-") == 0) &&
        !(request->csv && strcmp(request->csv, "-") == 0)) {
        print_rows(&rows);
        print_summary(&rows);
    }
    *regression = comparison_rows_count(&rows, VERDICT_WORSE) > 0;
    comparison_rows_free(&rows);
    if (request->filter)
        regfree(&filter);
    return good;
}

int cmd_compare(int argc, const char **argv) {
    struct request request = {.threshold = 3, .noise = -1};
    const struct cli_option options[] = {
        {"threshold", CLI_NUMBER, &request.threshold, "PERCENT",
         "Least change of a time that counts (3)", .min = 0.01, .max = 1000},
        {"noise", CLI_NUMBER, &request.noise, "PERCENT",
         "Noise between runs, relative standard deviation, in place of what the history shows",
         .min = 0, .max = 100},
        {"filter", CLI_STRING, &request.filter, "REGEX", "Only benchmarks whose name matches"},
        {"metric", CLI_STRING, &request.metric, "NAME",
         "real_time, cpu_time, top1, lut, ..: only this, in place of those judged by default"},
        {"across-machines", CLI_FLAG, &request.across_machines, NULL,
         "Compare times of different machines all the same"},
        {"json", CLI_STRING, &request.json, "FILE", "Write JSON; - is standard output"},
        {"csv", CLI_STRING, &request.csv, "FILE", "Write CSV; - is standard output"},
        {0},
    };
    const struct cli cli = {"compare", "[DB] BASE NEW", 2, 3, options, notes};
    const char **arguments;
    int status;
    if (!cli_parse(&cli, argc, argv, &arguments, &status))
        return status;
    const bool has_db = arguments[2] != NULL;
    request.db = has_db ? arguments[0] : NULL;
    request.selector[0] = arguments[has_db];
    request.selector[1] = arguments[has_db + 1];
    struct error error;
    bool regression;
    if (!has_db && !(selector_has_file(arguments[0]) && selector_has_file(arguments[1]))) {
        error_set(&error, "compare: no history; give DB BASE NEW, or two results files (.json)");
        return report(&error);
    }
    if (!run(&request, &regression, &error))
        return report(&error);
    return regression ? EXIT_NO : EXIT_DONE;
}
