#include "history/noise.h"
#include "base/memory.h"
#include "base/stats.h"
#include "history/stats_rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/** A run: its level's logarithm (observed.h). */
struct point {
    char *build;
    double level;
};

struct points {
    size_t count;
    struct point *point; /**< in order of time */
};

static void add_point(struct points *points, const char *build, double *values, size_t count) {
    points->point = need_more(points->point, points->count + 1, sizeof *points->point);
    points->point[points->count++] = (struct point){
        .build = need_format("%s", build),
        .level = log(lower_quartile(values, count)),
    };
}

static bool load(struct history *history, const char *name, const char *metric, const char *machine,
                 struct points *points, struct error *error) {
    static const char sql[] =
        "WITH recent AS (SELECT run.id, run.date, series.id AS series FROM run JOIN series ON "
        "  series.run_id = run.id WHERE series.name = ?1 AND series.metric = ?2 AND machine = ?3"
        "  ORDER BY date DESC, run.id DESC LIMIT ?4) "
        "SELECT recent.id, build.name, value FROM recent JOIN build ON build.run_id = recent.id"
        " JOIN sample ON series_id = series ORDER BY date, recent.id";
    sqlite3_stmt *statement;
    if (!history_prepare(history, sql, &statement, error))
        return false;
    const char *const texts[] = {name, metric, machine};
    for (int i = 0; i < 3; i++)
        sqlite3_bind_text(statement, i + 1, texts[i], -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 4, NOISE_LAST_RUNS);
    double *values = NULL;
    size_t count = 0;
    int64_t run = 0;
    char *build = NULL;
    bool row, good;
    while ((good = history_step(history, statement, &row, error)) && row) {
        if (count && sqlite3_column_int64(statement, 0) != run) {
            add_point(points, build, values, count);
            count = 0;
        }
        if (count == 0) {
            run = sqlite3_column_int64(statement, 0);
            free(build);
            build = need_format("%s", (const char *)sqlite3_column_text(statement, 1));
        }
        values = need_more(values, count + 1, sizeof *values);
        values[count++] = sqlite3_column_double(statement, 2);
    }
    if (good && count)
        add_point(points, build, values, count);
    sqlite3_finalize(statement);
    free(values);
    free(build);
    return good;
}

static bool first_of_build(const struct points *points, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (strcmp(points->point[i].build, points->point[index].build) == 0)
            return false;
    }
    return true;
}

/** Levels of one build's runs. */
static size_t levels_of(const struct points *points, const char *build, double *levels) {
    size_t count = 0;
    for (size_t i = 0; i < points->count; i++) {
        if (strcmp(points->point[i].build, build) == 0)
            levels[count++] = points->point[i].level;
    }
    return count;
}

static double noise_of(const struct points *points) {
    double *levels = need(points->count, sizeof *levels);
    double *steps = need(points->count, sizeof *steps);
    double squares = 0, within = NAN, between = NAN, previous = NAN;
    size_t freedom = 0, step_count = 0;
    for (size_t i = 0; i < points->count; i++) {
        if (!first_of_build(points, i))
            continue;
        const size_t runs = levels_of(points, points->point[i].build, levels);
        const struct stats stats = stats_of(levels, runs);
        squares += stats.stddev * stats.stddev * (double)(runs - 1);
        freedom += runs - 1;
        if (!isnan(previous))
            steps[step_count++] = fabs(stats.median - previous);
        previous = stats.median;
    }
    if (freedom >= NOISE_LEAST_RUNS)
        within = sqrt(squares / (double)freedom);
    if (step_count >= NOISE_LEAST_RUNS) // 1.4826: from median absolute deviation to a normal's sd
        between = 1.4826 * stats_of(steps, step_count).median / M_SQRT2;
    free(levels);
    free(steps);
    return fmax(within, between); // of a number and NaN, the number
}

bool noise_learn(struct history *history, const char *name, const char *metric, const char *machine,
                 double *noise, struct error *error) {
    struct points points = {0};
    const bool good = load(history, name, metric, machine, &points, error);
    *noise = good ? noise_of(&points) : NAN;
    for (size_t i = 0; i < points.count; i++)
        free(points.point[i].build);
    free(points.point);
    return good;
}
