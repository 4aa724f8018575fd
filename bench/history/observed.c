#include "history/observed.h"
#include "base/memory.h"
#include "base/stats.h"
#include "history/stats_rank.h"

#include <stdlib.h>
#include <string.h>

enum { NAME, METRIC, UNIT, HIGHER, EXACT, SIDE, RUN, BUILD, MACHINE, DATE, POSITION, VALUE, GROUP };

static const char *text(sqlite3_stmt *statement, int index) {
    const unsigned char *value = sqlite3_column_text(statement, index);
    return value ? (const char *)value : "";
}

static char *copy(sqlite3_stmt *statement, int index) {
    return need_format("%s", text(statement, index));
}

static void start(struct benchmark *benchmark, sqlite3_stmt *statement) {
    *benchmark = (struct benchmark){
        .name = copy(statement, NAME),
        .metric = copy(statement, METRIC),
        .unit = copy(statement, UNIT),
        .higher_is_better = sqlite3_column_int(statement, HIGHER),
        .exact = sqlite3_column_int(statement, EXACT),
    };
}

static void add_run(struct benchmark *benchmark, sqlite3_stmt *statement) {
    benchmark->run = need_more(benchmark->run, benchmark->count + 1, sizeof *benchmark->run);
    benchmark->run[benchmark->count++] = (struct observed){
        .side = sqlite3_column_int(statement, SIDE),
        .run = sqlite3_column_int64(statement, RUN),
        .build = copy(statement, BUILD),
        .machine = copy(statement, MACHINE),
        .date = copy(statement, DATE),
    };
}

static void add_value(struct observed *run, sqlite3_stmt *statement) {
    run->position = need_more(run->position, run->count + 1, sizeof *run->position);
    run->value = need_more(run->value, run->count + 1, sizeof *run->value);
    run->position[run->count] = sqlite3_column_int64(statement, POSITION);
    run->value[run->count++] = sqlite3_column_double(statement, VALUE);
}

static void clear(struct benchmark *benchmark) {
    for (size_t i = 0; i < benchmark->count; i++) {
        struct observed *run = &benchmark->run[i];
        free(run->build);
        free(run->machine);
        free(run->date);
        free(run->position);
        free(run->value);
    }
    free(benchmark->run);
    free(benchmark->name);
    free(benchmark->metric);
    free(benchmark->unit);
    *benchmark = (struct benchmark){0};
}

static bool finish(struct benchmark *benchmark, benchmark_visitor *visit, void *context,
                   struct error *error) {
    for (size_t i = 0; i < benchmark->count; i++) {
        struct observed *run = &benchmark->run[i];
        const struct stats stats = stats_of(run->value, run->count);
        run->median = stats.median;
        run->fastest = stats.min;
        run->level = benchmark->exact ? stats.median : lower_quartile(run->value, run->count);
    }
    const bool good = benchmark->count == 0 || visit(context, benchmark, error);
    clear(benchmark);
    return good;
}

static bool same_benchmark(const struct benchmark *benchmark, const char *group,
                           sqlite3_stmt *statement) {
    return benchmark->count && strcmp(benchmark->name, text(statement, NAME)) == 0 &&
           strcmp(benchmark->metric, text(statement, METRIC)) == 0 &&
           strcmp(group, text(statement, GROUP)) == 0;
}

static bool same_run(const struct benchmark *benchmark, sqlite3_stmt *statement) {
    const struct observed *last = benchmark->count ? &benchmark->run[benchmark->count - 1] : NULL;
    return last && last->run == sqlite3_column_int64(statement, RUN) &&
           last->side == sqlite3_column_int(statement, SIDE);
}

static bool visit_rows(struct history *history, sqlite3_stmt *statement, const regex_t *filter,
                       benchmark_visitor *visit, void *context, struct error *error) {
    struct benchmark benchmark = {0};
    char *group = NULL;
    bool row, good;
    while ((good = history_step(history, statement, &row, error)) && row) {
        if (filter && regexec(filter, text(statement, NAME), 0, NULL, 0))
            continue;
        if (!same_benchmark(&benchmark, group, statement)) {
            if (!(good = finish(&benchmark, visit, context, error)))
                break;
            start(&benchmark, statement);
            free(group);
            group = copy(statement, GROUP);
        }
        if (!same_run(&benchmark, statement))
            add_run(&benchmark, statement);
        add_value(&benchmark.run[benchmark.count - 1], statement);
    }
    good = good && finish(&benchmark, visit, context, error);
    clear(&benchmark);
    free(group);
    return good;
}

bool benchmarks_visit(struct history *history, const struct selection *selection, bool by_machine,
                      benchmark_visitor *visit, void *context, struct error *error) {
    static const char sql[] =
        "SELECT s.name, s.metric, s.unit, s.higher_is_better, s.exact, d.side, r.id, b.name,"
        " r.machine, r.date, p.position, p.value, iif(s.exact OR NOT ?1, '', r.machine) AS apart"
        " FROM temp.side d JOIN run r ON r.id = d.run_id JOIN build b ON b.run_id = r.id"
        " JOIN series s ON s.run_id = r.id JOIN sample p ON p.series_id = s.id"
        " WHERE iif(?2 IS NULL, s.judged, s.metric = ?2)"
        " ORDER BY s.name, s.metric, apart, r.date, r.id, d.side, p.position";
    sqlite3_stmt *statement;
    if (!history_prepare(history, sql, &statement, error))
        return false;
    sqlite3_bind_int(statement, 1, by_machine);
    if (selection->metric)
        sqlite3_bind_text(statement, 2, selection->metric, -1, SQLITE_STATIC);
    const bool good = visit_rows(history, statement, selection->filter, visit, context, error);
    sqlite3_finalize(statement);
    return good;
}

bool filter_compile(const char *text, regex_t *filter, struct error *error) {
    char why[128];
    const int code = regcomp(filter, text, REG_EXTENDED | REG_NOSUB);
    if (code == 0)
        return true;
    regerror(code, filter, why, sizeof why);
    return fail(error, "--filter '%.64s': %s; give an extended regular expression", text, why);
}
