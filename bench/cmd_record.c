#include "base/cli.h"
#include "base/output.h"
#include "command.h"
#include "history/history.h"
#include "history/results.h"

#include <stdlib.h>

static const char notes[] =
    "DB is a SQLite file, made where there is none. FILE.json: what narrowmac bench or accuracy\n"
    "wrote with --json, build/fpga/results.json, or any Google Benchmark JSON. Each file becomes\n"
    "a run; one that is there already is not added again. Every sample is kept.\n";

/** All are read and checked before the first is stored. */
static bool read_all(const char **paths, json_t *documents, struct error *error) {
    for (; *paths; paths++) {
        json_t *document = results_read(*paths, error);
        struct results results;
        if (!document)
            return false;
        json_array_append_new(documents, document);
        if (!results_parse(document, *paths, &results, error))
            return false;
        results_free(&results);
    }
    return true;
}

static json_t *recorded_json(const struct recorded *recorded, const char *path) {
    return json_pack("{s:s, s:I, s:b, s:I, s:I, s:I}", "file", path, "run",
                     (json_int_t)recorded->run, "known", recorded->known, "series",
                     (json_int_t)recorded->series, "samples", (json_int_t)recorded->samples,
                     "skipped", (json_int_t)recorded->skipped);
}

static bool add_all(struct history *history, const char **paths, const json_t *documents,
                    const char *label, bool quiet, json_t *list, struct error *error) {
    size_t i;
    json_t *document;
    json_array_foreach(documents, i, document) {
        struct recorded recorded;
        if (!history_add(history, document, paths[i], label, &recorded, error))
            return false;
        json_array_append_new(list, recorded_json(&recorded, paths[i]));
        if (quiet)
            continue;
        printf("%s: run %lld%s, %zu benchmarks, %zu samples", paths[i], (long long)recorded.run,
               recorded.known ? " (recorded before)" : "", recorded.series, recorded.samples);
        if (recorded.skipped)
            printf(", %zu rows without a figure left out", recorded.skipped);
        printf("\n");
        fflush(stdout);
    }
    return true;
}

int cmd_record(int argc, const char **argv) {
    const char *label = NULL, *json = NULL;
    const struct cli_option options[] = {
        {"label", CLI_STRING, &label, "NAME",
         "Name of the build, in place of its commit: for builds of changed sources"},
        {"json", CLI_STRING, &json, "FILE",
         "Write the runs' numbers as JSON; - is standard output"},
        {0},
    };
    const struct cli cli = {"record", "DB FILE.json..", 2, SIZE_MAX, options, notes};
    const char **arguments;
    int status;
    if (!cli_parse(&cli, argc, argv, &arguments, &status))
        return status;
    struct error error;
    struct history history;
    json_t *documents = json_array(), *list = json_array();
    bool good = read_all(arguments + 1, documents, &error) &&
                history_open(arguments[0], HISTORY_WRITE, &history, &error);
    if (good) {
        good = add_all(&history, arguments + 1, documents, label, json != NULL, list, &error);
        history_close(&history);
    }
    if (good && json) {
        json_t *document = json_pack("{s:s, s:O}", "history", arguments[0], "runs", list);
        good = output_json(json, document, &error);
        json_decref(document);
    }
    json_decref(documents);
    json_decref(list);
    return good ? EXIT_DONE : report(&error);
}
