#include "base/cli.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/output.h"
#include "command.h"
#include "history/history.h"
#include "throughput/bench_run.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SUITES = 16 };

struct options {
    const char *suites, *filter, *json, *record;
    struct cli_list precisions, isas, threads, peers;
    size_t repetitions, batch, algorithm, double_every;
    double min_time;
    bool list;
};

static const char notes[] =
    "Suites: seed, resnet50, mobilenet, cold, all, or the path of a JSON file:\n"
    "  {\"layers\": [{\"name\": \"res2_3x3\", \"input\": [56, 56, 64], \"kernel\": [3, 3],\n"
    "                \"out_channels\": 64, \"stride\": [1, 1], \"padding\": [1, 1, 1, 1],\n"
    "                \"dilation\": [1, 1], \"groups\": 1}]}\n"
    "  input is height, width, channels; padding top, left, bottom, right; stride, padding,\n"
    "  dilation and groups may be left out. \"cold\": {\"cache_multiple\": 2} beside layers "
    "cycles\n"
    "  through as many copies of each plan as make twice the largest cache.\n"
    "Rows are named SUITE.LAYER/PRECISION/IMPLEMENTATION/threads:N. Every kernel is checked\n"
    "against the scalar reference before it is timed; a difference is exit status 1.\n"
    "DNNL_MAX_CPU_ISA limits oneDNN. OMP_PROC_BIND and OMP_PLACES replace the program's pinning.\n";

static bool add_suite(struct bench *bench, const char *name, struct error *error) {
    struct suite suite;
    if (bench->suite_count == MAX_SUITES)
        return fail(error, "--suite: more than %d suites; give fewer", MAX_SUITES);
    if (!suite_read(name, &suite, error))
        return false;
    for (size_t i = 0; i < bench->suite_count; i++) {
        if (strcmp(bench->suites[i].name, suite.name) == 0) {
            error_set(error, "--suite: two suites are named '%s'; rename one file", suite.name);
            suite_destroy(&suite);
            return false;
        }
    }
    bench->suites[bench->suite_count++] = suite;
    return true;
}

static bool read_suites(struct bench *bench, const char *list, struct error *error) {
    char *const copy = need_format("%s", list);
    bool good = true;
    bench->suites = need(MAX_SUITES, sizeof *bench->suites);
    for (char *next = copy; good && next;) {
        const char *name = strsep(&next, ",");
        if (strcmp(name, "all") != 0) {
            good = add_suite(bench, name, error);
            continue;
        }
        for (size_t i = 0; good && suite_names[i]; i++)
            good = add_suite(bench, suite_names[i], error);
    }
    free(copy);
    return good;
}

static bool check_isa(nm_isa isa, struct error *error) {
    return nm_isa_available(isa) ||
           fail(error, "--isa %s: this CPU or this build does not have it; see 'narrowmac cpuinfo'",
                nm_isa_name(isa));
}

static bool check_peer(const struct peer *peer, struct error *error) {
    return peer->version ||
           fail(error,
                "--peers %s: not built in; install %s and build again, or leave the peer out",
                peer->name, peer->package);
}

/** Whether the tier is listed already, as auto and by its name. */
static bool find_tier(const struct bench *bench, nm_isa isa) {
    for (size_t i = 0; i < bench->implementation_count; i++) {
        if (bench->implementations[i].isa == isa)
            return true;
    }
    return false;
}

static bool choose_implementations(struct bench *bench, const struct options *options,
                                   struct error *error) {
    const size_t count = options->isas.count + options->peers.count;
    bench->implementations = need(count, sizeof *bench->implementations);
    nm_isa best = NM_ISA_SCALAR;
    for (size_t i = 0; i < options->isas.count; i++) {
        nm_isa isa = (nm_isa)options->isas.value[i];
        if (isa == NM_ISA_AUTO)
            isa = nm_isa_best();
        if (!check_isa(isa, error))
            return false;
        best = isa > best ? isa : best;
        if (!find_tier(bench, isa))
            bench->implementations[bench->implementation_count++] =
                (struct implementation){.name = nm_isa_name(isa), .isa = isa};
    }
    for (size_t i = 0; i < options->peers.count; i++) {
        const struct peer *peer = peers[options->peers.value[i]];
        if (!check_peer(peer, error))
            return false;
        bench->implementations[bench->implementation_count++] =
            (struct implementation){.name = peer->name, .isa = best, .peer = peer};
    }
    return true;
}

static void add_row(struct bench *bench, struct row row, const regex_t *filter) {
    row.name = need_format("%s.%s/%s/%s/threads:%u", row.suite->name, row.layer->name,
                           nm_precision_name(row.precision), row.implementation->name, row.threads);
    if (bench->batch != 1) {
        char *longer = need_format("%s/batch:%zu", row.name, bench->batch);
        free(row.name);
        row.name = longer;
    }
    if (filter && regexec(filter, row.name, 0, NULL, 0) != 0) {
        free(row.name);
        return;
    }
    bench->rows = need_more(bench->rows, bench->row_count + 1, sizeof *bench->rows);
    bench->rows[bench->row_count++] = row;
}

/** Rows of one layer at one thread count. */
static void add_rows(struct bench *bench, const struct options *options, struct row row,
                     const regex_t *filter) {
    for (size_t p = 0; p < options->precisions.count; p++) {
        row.precision = (nm_precision)options->precisions.value[p];
        for (size_t i = 0; i < bench->implementation_count; i++) {
            row.implementation = &bench->implementations[i];
            const struct peer *peer = row.implementation->peer;
            if (!peer || peer->supports(row.precision))
                add_row(bench, row, filter);
        }
    }
}

static bool list_rows(struct bench *bench, const struct options *options, struct error *error) {
    regex_t filter;
    const int wrong =
        options->filter ? regcomp(&filter, options->filter, REG_EXTENDED | REG_NOSUB) : 0;
    if (wrong) {
        char reason[128];
        regerror(wrong, &filter, reason, sizeof reason);
        return fail(error, "--filter '%.64s': %s; give an extended regular expression",
                    options->filter, reason);
    }
    for (size_t s = 0; s < bench->suite_count; s++) {
        for (size_t l = 0; l < bench->suites[s].count; l++) {
            for (size_t t = 0; t < options->threads.count; t++) {
                const struct row row = {.suite = &bench->suites[s],
                                        .layer = &bench->suites[s].layers[l],
                                        .threads = (unsigned)options->threads.value[t]};
                add_rows(bench, options, row, options->filter ? &filter : NULL);
            }
        }
    }
    if (options->filter)
        regfree(&filter);
    return bench->row_count > 0 ||
           fail(error, "--filter '%.64s': no benchmark matches; see 'narrowmac bench --list'",
                options->filter ? options->filter : "");
}

/** A suite's table appears as soon as its last row is measured. */
static bool run(struct bench *bench, bool print, struct error *error) {
    bench->started = monotonic_seconds();
    for (size_t first = 0; first < bench->row_count;) {
        const struct suite *suite = bench->rows[first].suite;
        const size_t end = bench_group_end(bench, first);
        if (!bench_measure(bench, first, end, error)) {
            progress_clear();
            return false;
        }
        if (print && (end == bench->row_count || bench->rows[end].suite != suite)) {
            progress_clear();
            bench_print(bench, suite, stdout);
            fflush(stdout);
        }
        first = end;
    }
    progress_clear();
    return true;
}

static bool store(const struct bench *bench, const struct options *options, json_t *context,
                  struct error *error) {
    if (!options->json && !options->record)
        return true;
    json_t *document = bench_json(bench, context);
    const bool good =
        (!options->json || output_json(options->json, document, error)) &&
        (!options->record || history_record(options->record, document, "narrowmac bench", error));
    json_decref(document);
    return good;
}

/** Reports the first row whose output was wrong. */
static int judge(const struct bench *bench) {
    for (size_t i = 0; i < bench->row_count; i++) {
        const struct row *row = &bench->rows[i];
        if (row->outcome != ROW_FAILED)
            continue;
        fprintf(stderr, "narrowmac: %s: %s; do not trust this build\n", row->name, row->message);
        return EXIT_NO;
    }
    return EXIT_DONE;
}

static void destroy(struct bench *bench) {
    for (size_t i = 0; i < bench->row_count; i++) {
        free(bench->rows[i].name);
        free(bench->rows[i].message);
        free(bench->rows[i].samples);
    }
    for (size_t i = 0; i < bench->ceiling_count; i++)
        free(bench->ceilings[i].rates);
    for (size_t i = 0; i < bench->suite_count; i++)
        suite_destroy(&bench->suites[i]);
    free(bench->rows);
    free(bench->ceilings);
    free(bench->implementations);
    free(bench->suites);
}

/** What cannot be written is better known before the measurement. */
static bool check_outputs(const struct options *options, struct error *error) {
    struct history history;
    if (options->json && !output_check(options->json, error))
        return false;
    if (!options->record)
        return true;
    const bool good = history_open(options->record, HISTORY_WRITE, &history, error);
    history_close(&history);
    return good;
}

static int execute(struct bench *bench, const struct options *options) {
    struct error error;
    if (!read_suites(bench, options->suites, &error) ||
        !choose_implementations(bench, options, &error) || !list_rows(bench, options, &error))
        return report(&error);
    if (options->list) {
        for (size_t i = 0; i < bench->row_count; i++)
            puts(bench->rows[i].name);
        return EXIT_DONE;
    }
    if (!check_outputs(options, &error))
        return report(&error);
    json_t *context = context_create(); // before the load that we make
    const bool to_stdout = options->json && strcmp(options->json, "-") == 0;
    const bool good = run(bench, !to_stdout, &error) && store(bench, options, context, &error);
    json_decref(context);
    return good ? judge(bench) : report(&error);
}

int cmd_bench(int argc, const char **argv) {
    struct options options = {
        .suites = "seed,resnet50",
        .precisions = {4, {NM_F32, NM_W8A8, NM_W4A8, NM_W4A4}},
        .isas = {1, {NM_ISA_AUTO}},
        .threads = {cpu_count() > 1 ? 2 : 1, {1, cpu_count()}},
        .repetitions = 21,
        .min_time = 0.005,
        .batch = 1,
    };
    const struct cli cli = {
        .command = "bench",
        .options =
            (struct cli_option[]){
                {"suite", CLI_STRING, &options.suites, "S,..",
                 "Layers to time; see below. Default seed,resnet50"},
                {"filter", CLI_STRING, &options.filter, "REGEX", "Only rows whose name matches"},
                {"precision", CLI_CHOICES, &options.precisions, "P,..",
                 "f32, w8a8, w4a8, w4a4; default all", .choices = precision_names()},
                {"isa", CLI_CHOICES, &options.isas, "I,..",
                 "Instruction-set tiers; default auto, the best", .choices = isa_names()},
                {"algorithm", CLI_CHOICE, &options.algorithm, "A",
                 "auto, direct, winograd or winograd4; default auto", .choices = algorithm_names()},
                {"threads", CLI_SIZES, &options.threads, "N,..", "Default 1 and all", .min = 1,
                 .max = 1024},
                {"batch", CLI_SIZE, &options.batch, "N", "Images at once; default 1", .min = 1,
                 .max = 65536},
                {"peers", CLI_CHOICES, &options.peers, "NAME,..",
                 "Other libraries beside ours: onednn, xnnpack", .choices = peer_names()},
                {"repetitions", CLI_SIZE, &options.repetitions, "N", "Default 21", .min = 1,
                 .max = 10000},
                {"min-time", CLI_NUMBER, &options.min_time, "SEC",
                 "Least time of a repetition; default 0.005", .min = 1e-6, .max = 3600},
                {"double-every", CLI_SIZE, &options.double_every, "N",
                 "Do every N-th run twice: a known slowdown of 1/N, to try an alarm out", .min = 1,
                 .max = 10000},
                {"list", CLI_FLAG, &options.list, NULL, "Print the rows' names and time nothing"},
                {"json", CLI_STRING, &options.json, "FILE",
                 "Google Benchmark JSON; '-' is standard output, without the tables"},
                {"record", CLI_STRING, &options.record, "DB", "Add the run to a history"},
                {0}},
        .notes = notes,
    };
    int status;
    if (!cli_parse(&cli, argc, argv, NULL, &status))
        return status;
    struct bench bench = {
        .batch = options.batch,
        .repetitions = options.repetitions,
        .min_time = options.min_time,
        .double_every = options.double_every,
        .algorithm = (nm_algorithm)options.algorithm,
        .max_threads = cpu_count(),
        .noisy_cv = 0.05,
    };
    status = execute(&bench, &options);
    destroy(&bench);
    return status;
}
