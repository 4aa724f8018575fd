#include "history/history_view.h"
#include "base/memory.h"
#include "base/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct loading {
    struct history *history;
    struct view *view;
    size_t last;
    struct comparison_options options;
};

/** Gives the runs of a build a side, and all others none. */
static void set_sides(struct benchmark *benchmark, const char *base, const char *new) {
    for (size_t i = 0; i < benchmark->count; i++) {
        struct observed *run = &benchmark->run[i];
        run->side = strcmp(run->build, new) == 0            ? 1
                    : base && strcmp(run->build, base) == 0 ? 0
                                                            : -1;
    }
}

static bool is_first_of_build(const struct benchmark *benchmark, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (strcmp(benchmark->run[i].build, benchmark->run[index].build) == 0)
            return false;
    }
    return true;
}

static const char *last_date(const struct benchmark *benchmark, const char *build) {
    const char *date = "";
    for (size_t i = 0; i < benchmark->count; i++) {
        if (strcmp(benchmark->run[i].build, build) == 0)
            date = benchmark->run[i].date;
    }
    return date;
}

static bool add_point(const struct loading *loading, struct benchmark *benchmark, const char *build,
                      struct view_row *row, struct error *error) {
    set_sides(benchmark, row->count ? row->point[row->count - 1].build : NULL, build);
    struct comparison since;
    if (!compare_sides(loading->history, benchmark, &loading->options, &since, error))
        return false;
    row->point = need_more(row->point, row->count + 1, sizeof *row->point);
    row->point[row->count++] = (struct view_point){
        .build = need_format("%s", build),
        .date = need_format("%s", last_date(benchmark, build)),
        .runs = since.side[1].runs,
        .samples = since.side[1].samples,
        .level = since.side[1].level,
        .median = since.side[1].median,
        .since = since,
    };
    return true;
}

/** Index of the first run that belongs to the newest builds asked for. */
static size_t first_wanted(const struct benchmark *benchmark, size_t last) {
    size_t builds = 0;
    for (size_t i = 0; i < benchmark->count; i++)
        builds += is_first_of_build(benchmark, i);
    size_t skip = last && builds > last ? builds - last : 0;
    size_t i = 0;
    for (; i < benchmark->count; i++) {
        if (is_first_of_build(benchmark, i) && skip-- == 0)
            break;
    }
    return i;
}

static bool load_benchmark(void *context, struct benchmark *benchmark, struct error *error) {
    const struct loading *loading = context;
    struct view *view = loading->view;
    view->row = need_more(view->row, view->count + 1, sizeof *view->row);
    struct view_row *row = &view->row[view->count++];
    *row = (struct view_row){
        .name = need_format("%s", benchmark->name),
        .metric = need_format("%s", benchmark->metric),
        .unit = need_format("%s", benchmark->unit),
        .machine = need_format("%s", benchmark->exact ? "" : benchmark->run[0].machine),
        .higher_is_better = benchmark->higher_is_better,
        .exact = benchmark->exact,
    };
    for (size_t i = first_wanted(benchmark, loading->last); i < benchmark->count; i++) {
        if (is_first_of_build(benchmark, i) &&
            !add_point(loading, benchmark, benchmark->run[i].build, row, error))
            return false;
    }
    return true;
}

static void judge_view(struct view *view, double threshold) {
    size_t count = 0;
    for (size_t i = 0; i < view->count; i++)
        count += view->row[i].count;
    struct judged *list = need(count, sizeof *list);
    count = 0;
    for (size_t i = 0; i < view->count; i++) {
        for (size_t k = 0; k < view->row[i].count; k++)
            list[count++] =
                (struct judged){&view->row[i].point[k].since, view->row[i].higher_is_better};
    }
    comparisons_judge(list, count, threshold);
    free(list);
}

bool view_load(struct history *history, const struct selection *selection, size_t last,
               double threshold, struct view *view, struct error *error) {
    *view = (struct view){0};
    struct loading loading = {
        .history = history,
        .view = view,
        .last = last,
        .options = {.threshold = threshold, .noise = NAN},
    };
    if (!history_run(history,
                     "CREATE TEMP TABLE side (side INTEGER, run_id INTEGER, PRIMARY KEY (side, "
                     "run_id)); INSERT INTO side SELECT 0, id FROM run",
                     error) ||
        !benchmarks_visit(history, selection, true, load_benchmark, &loading, error)) {
        view_free(view);
        return false;
    }
    judge_view(view, threshold);
    return true;
}

const struct view_point *view_last_change(const struct view_row *row) {
    for (size_t i = row->count; i > 1; i--) {
        const enum verdict verdict = row->point[i - 1].since.verdict;
        if (verdict == VERDICT_WORSE || verdict == VERDICT_BETTER)
            return &row->point[i - 1];
    }
    return NULL;
}

void view_free(struct view *view) {
    for (size_t i = 0; i < view->count; i++) {
        struct view_row *row = &view->row[i];
        for (size_t k = 0; k < row->count; k++) {
            free(row->point[k].build);
            free(row->point[k].date);
        }
        free(row->point);
        free(row->name);
        free(row->metric);
        free(row->unit);
        free(row->machine);
    }
    free(view->row);
    *view = (struct view){0};
}
