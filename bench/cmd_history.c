#include "base/cli.h"
#include "base/format.h"
#include "base/memory.h"
#include "base/output.h"
#include "base/table.h"
#include "command.h"
#include "history/history_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char notes[] =
    "Each benchmark over its builds (label, else commit), oldest to the left; 'last change' is "
    "the\n"
    "newest build that is faster or slower (better or worse) than the one before it, judged as\n"
    "'narrowmac compare' judges, over all builds shown. --runs lists the runs and their numbers.\n";

struct request {
    const char *db, *filter, *metric, *json, *csv;
    size_t last;
    double threshold; /**< percent */
    bool runs;
};

enum { SPARKLINE_WIDTH = 24 };

/** Eight levels between the least and the greatest of the newest points; flat where they agree. */
static void sparkline(const struct view_row *row, char text[4 * SPARKLINE_WIDTH]) {
    static const char *const levels[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const size_t first = row->count > SPARKLINE_WIDTH ? row->count - SPARKLINE_WIDTH : 0;
    double least = INFINITY, most = -INFINITY;
    for (size_t i = first; i < row->count; i++) {
        least = fmin(least, row->point[i].level);
        most = fmax(most, row->point[i].level);
    }
    size_t used = 0;
    for (size_t i = first; i < row->count; i++) {
        const double height = most > least ? (row->point[i].level - least) / (most - least) : 0.4;
        used += (size_t)snprintf(text + used, 4 * SPARKLINE_WIDTH - used, "%s",
                                 levels[(size_t)(height * 7.99)]);
    }
}

static void print_row(struct table *table, const struct view_row *row) {
    char line[4 * SPARKLINE_WIDTH], figure[32], since[32], change[32];
    const struct view_point *last = &row->point[row->count - 1];
    sparkline(row, line);
    table_row(table);
    table_cell(table, "%s", row->name);
    table_cell(table, "%s", row->metric);
    table_cell(table, "%zu", row->count);
    table_cell(table, "%s", line);
    table_cell(table, "%s", format_figure(figure, last->level, row->unit));
    table_cell(table, "%s", format_change(since, last->since.ratio));
    const struct view_point *changed = view_last_change(row);
    if (changed)
        table_cell(table, "%s %s at %s", format_change(change, changed->since.ratio),
                   verdict_name(changed->since.verdict, row->exact), changed->build);
}

/** A table for the rows of one machine, or for the exact ones. */
static void print_machine(const struct view *view, const char *machine) {
    static const struct table_column columns[] = {
        {"benchmark", TABLE_LEFT},   {"metric", TABLE_LEFT},  {"builds", TABLE_RIGHT},
        {"history", TABLE_LEFT},     {"latest", TABLE_RIGHT}, {"since last", TABLE_RIGHT},
        {"last change", TABLE_LEFT}, {NULL, TABLE_LEFT},
    };
    struct table *table = table_create(columns);
    for (size_t i = 0; i < view->count; i++) {
        if (strcmp(view->row[i].machine, machine) == 0)
            print_row(table, &view->row[i]);
    }
    printf("%s\n\n", machine[0] ? machine : "the same on every machine");
    table_print(table, stdout);
}

static void print_view(const struct view *view) {
    for (size_t i = 0; i < view->count; i++) {
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen = seen || strcmp(view->row[k].machine, view->row[i].machine) == 0;
        if (seen)
            continue;
        if (i)
            printf("\n");
        print_machine(view, view->row[i].machine);
    }
}

/* ---- Runs --------------------------------------------------------------------------------- */

static json_t *runs_json(struct history *history, struct error *error) {
    static const char sql[] =
        "SELECT run.id, kind, date, build.name, \"commit\", dirty, label, machine, host, cpu, isa,"
        " compiler, flags, threads, source, (SELECT count(*) FROM series WHERE run_id = run.id),"
        " context FROM run JOIN build ON run_id = run.id ORDER BY date, run.id";
    static const char *const names[] = {
        "run",  "kind", "date", "build",    "commit", "dirty",   "label",  "machine",
        "host", "cpu",  "isa",  "compiler", "flags",  "threads", "source", "benchmarks"};
    enum { COLUMNS = sizeof names / sizeof *names };
    sqlite3_stmt *statement;
    if (!history_prepare(history, sql, &statement, error))
        return NULL;
    json_t *list = json_array();
    bool row, good;
    while ((good = history_step(history, statement, &row, error)) && row) {
        json_t *run = json_object();
        for (int i = 0; i < COLUMNS; i++) {
            const char *text = (const char *)sqlite3_column_text(statement, i);
            const bool whole = sqlite3_column_type(statement, i) == SQLITE_INTEGER;
            json_object_set_new(run, names[i],
                                !text                            ? json_null()
                                : strcmp(names[i], "dirty") == 0 ? json_boolean(text[0] == '1')
                                : whole ? json_integer(sqlite3_column_int64(statement, i))
                                        : json_string(text));
        }
        const char *context = (const char *)sqlite3_column_text(statement, COLUMNS);
        json_object_set_new(run, "context", json_loads(context, JSON_DECODE_ANY, NULL));
        json_array_append_new(list, run);
    }
    sqlite3_finalize(statement);
    if (good)
        return list;
    json_decref(list);
    return NULL;
}

static void print_runs(const json_t *runs) {
    static const struct table_column columns[] = {
        {"run", TABLE_RIGHT},    {"date", TABLE_LEFT}, {"build", TABLE_LEFT},
        {"kind", TABLE_LEFT},    {"isa", TABLE_LEFT},  {"benchmarks", TABLE_RIGHT},
        {"machine", TABLE_LEFT}, {NULL, TABLE_LEFT},
    };
    static const char *const texts[] = {"date", "build", "kind", "isa"};
    struct table *table = table_create(columns);
    size_t i;
    json_t *run;
    json_array_foreach(runs, i, run) {
        table_row(table);
        table_cell(table, "%lld", (long long)json_integer_value(json_object_get(run, "run")));
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            const char *text = json_string_value(json_object_get(run, texts[k]));
            table_cell(table, "%s", text ? text : "");
        }
        table_cell(table, "%lld",
                   (long long)json_integer_value(json_object_get(run, "benchmarks")));
        table_cell(table, "%s", json_string_value(json_object_get(run, "machine")));
    }
    table_print(table, stdout);
}

/* ---- JSON and CSV ------------------------------------------------------------------------- */

static json_t *point_json(const struct view_point *point, bool exact, bool first) {
    const struct comparison *since = &point->since;
    return json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:s?}", "build",
                     point->build, "date", point->date, "runs", (json_int_t)point->runs, "samples",
                     (json_int_t)point->samples, "level", json_figure(point->level), "median",
                     json_figure(point->median), "ratio", json_figure(since->ratio), "ratio_low",
                     json_figure(since->low), "ratio_high", json_figure(since->high), "p_adjusted",
                     json_figure(since->p_adjusted), "verdict",
                     first ? NULL : verdict_name(since->verdict, exact));
}

static json_t *view_json(const struct request *request, const struct view *view, json_t *runs) {
    json_t *list = json_array();
    for (size_t i = 0; i < view->count; i++) {
        const struct view_row *row = &view->row[i];
        json_t *points = json_array();
        for (size_t k = 0; k < row->count; k++)
            json_array_append_new(points, point_json(&row->point[k], row->exact, k == 0));
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:o}", "name", row->name,
                                        "metric", row->metric, "unit", row->unit, "machine",
                                        row->machine, "higher_is_better", row->higher_is_better,
                                        "exact", row->exact, "points", points));
    }
    return json_pack("{s:s, s:f, s:O, s:o}", "history", request->db, "threshold",
                     request->threshold / 100, "runs", runs, "benchmarks", list);
}

/** A line a sample: what a spreadsheet or a statistics package wants. */
static bool write_csv(struct history *history, const struct request *request, const regex_t *filter,
                      struct error *error) {
    static const char sql[] =
        "SELECT series.name, metric, unit, run.id, date, build.name, \"commit\", dirty, label, "
        "machine, position, value FROM run JOIN build ON build.run_id = run.id JOIN series ON "
        "series.run_id = run.id JOIN sample ON series_id = series.id "
        "ORDER BY series.name, metric, date, run.id, position";
    sqlite3_stmt *statement;
    struct output output;
    if (!history_prepare(history, sql, &statement, error))
        return false;
    bool row, good = output_open(&output, request->csv, error);
    if (good)
        fputs("name,metric,unit,run,date,build,commit,dirty,label,machine,position,value\r\n",
              output.file);
    while (good && (good = history_step(history, statement, &row, error)) && row) {
        if (filter && regexec(filter, (const char *)sqlite3_column_text(statement, 0), 0, NULL, 0))
            continue;
        for (int i = 0; i < 11; i++) {
            const char *text = (const char *)sqlite3_column_text(statement, i);
            csv_text(output.file, text ? text : "");
            fputc(',', output.file);
        }
        csv_figure(output.file, sqlite3_column_double(statement, 11));
        fputs("\r\n", output.file);
    }
    if (good)
        good = output_commit(&output, error);
    else if (output.file)
        output_discard(&output);
    sqlite3_finalize(statement);
    return good;
}

/* ---- The command -------------------------------------------------------------------------- */

static bool to_stdout(const char *path) { return path && strcmp(path, "-") == 0; }

static bool show(struct history *history, const struct request *request, const regex_t *filter,
                 struct error *error) {
    struct view view;
    if (!view_load(history, &(struct selection){filter, request->metric}, request->last,
                   request->threshold / 100, &view, error))
        return false;
    json_t *runs = NULL;
    bool good = view.count ||
                fail(error,
                     "%s: no benchmark in it%s; record one with 'narrowmac "
                     "record'",
                     request->db, filter || request->metric ? " that the options let through" : "");
    good = good && (runs = runs_json(history, error));
    if (good && request->csv)
        good = write_csv(history, request, filter, error);
    if (good && request->json) {
        json_t *document = view_json(request, &view, runs);
        good = document ? output_json(request->json, document, error)
                        : fail_memory(error, request->json);
        json_decref(document);
    }
    if (good && !to_stdout(request->json) && !to_stdout(request->csv)) {
        if (request->runs)
            print_runs(runs);
        else
            print_view(&view);
    }
    json_decref(runs);
    view_free(&view);
    return good;
}

int cmd_history(int argc, const char **argv) {
    struct request request = {.threshold = 3};
    const struct cli_option options[] = {
        {"filter", CLI_STRING, &request.filter, "REGEX", "Only benchmarks whose name matches"},
        {"metric", CLI_STRING, &request.metric, "NAME",
         "real_time, cpu_time, top1, lut, ..: only this, in place of those judged by default"},
        {"last", CLI_SIZE, &request.last, "N", "Only the newest N builds of each benchmark",
         .min = 1, .max = 1e6},
        {"threshold", CLI_NUMBER, &request.threshold, "PERCENT",
         "Least change of a time that counts (3)", .min = 0.01, .max = 1000},
        {"runs", CLI_FLAG, &request.runs, NULL, "List the runs instead"},
        {"json", CLI_STRING, &request.json, "FILE", "Write JSON; - is standard output"},
        {"csv", CLI_STRING, &request.csv, "FILE",
         "Write every sample as CSV; - is standard output"},
        {0},
    };
    const struct cli cli = {"history", "DB", 1, 1, options, notes};
    const char **arguments;
    int status;
    if (!cli_parse(&cli, argc, argv, &arguments, &status))
        return status;
    request.db = arguments[0];
    struct error error;
    struct history history;
    regex_t filter;
    if (request.filter && !filter_compile(request.filter, &filter, &error))
        return report(&error);
    bool good = history_open(request.db, HISTORY_READ, &history, &error);
    if (good) {
        good = show(&history, &request, request.filter ? &filter : NULL, &error);
        history_close(&history);
    }
    if (request.filter)
        regfree(&filter);
    return good ? EXIT_DONE : report(&error);
}
