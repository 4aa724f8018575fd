#include "accuracy/accuracy.h"
#include "base/memory.h"
#include "base/output.h"
#include "input/idx.h"
#include "network/network_plan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REMEDY "export the goldens again"

enum {
    /** Images of one run: their activations fit a core's second-level cache. */
    BATCH = 20,
};

/** Labelled test images. */
struct test_set {
    struct tensor images, labels;
    char *source;
};

static void test_set_destroy(struct test_set *set) {
    tensor_destroy(&set->images);
    tensor_destroy(&set->labels);
    free(set->source);
}

/* ---- Test images -------------------------------------------------------------------------- */

/** Whole test sets that a system may have: two idx files in a directory. */
static const struct {
    const char *network, *directory, *package;
} installed[] = {
    {"fashion", "/usr/share/datasets/fashion-mnist", "dataset-fashion-mnist"},
};
enum { INSTALLED_COUNT = sizeof installed / sizeof *installed };

static const char *const idx_names[2] = {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

/** The path of an idx file, compressed or not; NULL where there is none. */
static char *idx_find(const char *directory, const char *name) {
    static const char *const suffixes[] = {".gz", ""};
    for (size_t i = 0; i < 2; i++) {
        char *path = need_format("%s/%s%s", directory, name, suffixes[i]);
        if (access(path, F_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

/** idx images have no channel dimension. */
static void add_channel(struct tensor *images) {
    if (images->rank == 3)
        images->shape[images->rank++] = 1;
}

/** @param found set where the directory has the set, whether or not it can be read. */
static bool read_idx_set(const char *directory, const char *package, struct test_set *set,
                         bool *found, struct error *error) {
    char *images = idx_find(directory, idx_names[0]), *labels = idx_find(directory, idx_names[1]);
    bool good = true;
    *found = images || labels;
    if (*found && !(images && labels))
        good = fail(error, "%s: no %s.gz; give both files of the set", directory,
                    idx_names[images ? 1 : 0]);
    if (*found && good) {
        set->source =
            need_format("%s%s", package ? "Debian's " : "", package ? package : directory);
        good = idx_read(images, &set->images, error) && idx_read(labels, &set->labels, error);
        add_channel(&set->images);
    }
    free(images);
    free(labels);
    return good;
}

static bool read_shipped_set(const char *path, struct test_set *set, struct error *error) {
    struct safetensors file;
    if (!safetensors_read(path, &file, error))
        return false;
    const struct tensor *found[2];
    const bool good = safetensors_find(&file, "images", &found[0], error) &&
                      safetensors_find(&file, "labels", &found[1], error);
    struct tensor *const kept[2] = {&set->images, &set->labels};
    for (size_t i = 0; good && i < 2; i++) {
        *kept[i] = *found[i];
        ((struct tensor *)found[i])->data = NULL; // now the set's
    }
    safetensors_destroy(&file);
    set->source = need_format("shipped subset");
    return good;
}

static bool check_set(const struct network *network, const struct test_set *set,
                      struct error *error) {
    const struct tensor *labels = &set->labels;
    const size_t classes = volume_size(network->layers[network->layer_count - 1].out);
    if (!network_check_images(network, set->source, NM_UINT8, &set->images, error))
        return false;
    if (labels->type != NM_UINT8 || labels->rank != 1 || labels->count != set->images.shape[0])
        return fail(error, "%s: labels are %s %s for %zu images; " REMEDY, set->source,
                    dtype_name(labels->type), shape_text(labels->rank, labels->shape).text,
                    set->images.shape[0]);
    for (size_t i = 0; i < labels->count; i++) {
        if (((const uint8_t *)labels->data)[i] >= classes)
            return fail(error, "%s: label %zu is %u, network %s has %zu classes; " REMEDY,
                        set->source, i, ((const uint8_t *)labels->data)[i], network->name, classes);
    }
    return true;
}

/** The data directory's own set, else the installed one, else the subset that is shipped. */
static bool read_test_set(const struct network *network, const struct accuracy_options *options,
                          struct test_set *set, struct error *error) {
    bool found = false, good = true;
    for (size_t i = 0; i < INSTALLED_COUNT; i++) {
        if (strcmp(installed[i].network, network->name) != 0)
            continue;
        good = read_idx_set(options->directory, NULL, set, &found, error);
        if (good && !found)
            good = read_idx_set(installed[i].directory, installed[i].package, set, &found, error);
    }
    if (good && !found)
        good = read_shipped_set(network->test, set, error);
    return good && check_set(network, set, error);
}

/* ---- Classification ----------------------------------------------------------------------- */

/** The float run on the calibration images. */
struct calibration {
    float *input;
    struct trace trace;
};

static void calibration_destroy(struct calibration *calibration) {
    trace_destroy(&calibration->trace);
    free(calibration->input);
}

static bool calibrate(const struct network *network, const struct accuracy_options *options,
                      struct calibration *calibration, struct error *error) {
    struct safetensors file;
    const struct tensor *pixels;
    if (!network->calibration)
        return fail(error, "network %s: its manifest names no calibration images; " REMEDY,
                    network->name);
    if (!safetensors_read(network->calibration, &file, error))
        return false;
    bool good = safetensors_find(&file, "input", &pixels, error) &&
                network_check_images(network, file.path, NM_UINT8, pixels, error);
    if (good) {
        calibration->input = need(pixels->count, sizeof *calibration->input);
        for (size_t i = 0; i < pixels->count; i++)
            calibration->input[i] = (float)((const uint8_t *)pixels->data)[i] / 255;
        const struct conv_setting setting = {
            .precision = NM_F32, .isa = options->isa, .threads = options->threads};
        good = trace_run(network, &setting, calibration->input, pixels->shape[0], NULL,
                         &calibration->trace, error);
    }
    safetensors_destroy(&file);
    return good;
}

/** What is classified, and how far it is, for the progress line. */
struct classification {
    const struct network *network;
    const struct accuracy_options *options;
    struct test_set set;
    struct calibration calibration;
    size_t images, runs, run;
    double since;
};

static void show_progress(void *context, size_t images) {
    const struct classification *work = context;
    char text[64];
    snprintf(text, sizeof text, "%s: classifying %zu images, run %zu of %zu", work->network->name,
             work->images, work->run + 1, work->runs);
    progress(text, ((double)work->run + (double)images / (double)work->images) / (double)work->runs,
             work->since);
}

static bool classify(struct classification *work, nm_precision precision, int scheme,
                     struct network_rows *rows, struct error *error) {
    const struct network *network = work->network;
    const struct conv_setting setting = {.precision = precision,
                                         .scheme = scheme == NONE ? 0 : (nm_scheme)scheme,
                                         .isa = work->options->isa};
    nm_qparams *ranges = NULL;
    if (precision != NM_F32) {
        ranges = need(network->layer_count, sizeof *ranges);
        network_ranges(network, &work->calibration.trace, work->calibration.input, &setting,
                       ranges);
    }
    struct network_plan *plan;
    size_t right = 0;
    bool good = network_plan_create(network, &setting, ranges, BATCH, &plan, error);
    good =
        good && network_plan_top1(plan, work->set.images.data, work->set.labels.data, work->images,
                                  work->options->threads, show_progress, work, &right, error);
    network_plan_destroy(plan);
    free(ranges);
    work->run++;
    if (!good)
        return false;
    rows->row = need_more(rows->row, rows->count + 1, sizeof *rows->row);
    struct network_row *row = &rows->row[rows->count++];
    *row = (struct network_row){
        .precision = precision, .scheme = scheme, .images = work->images, .right = right};
    snprintf(row->network, sizeof row->network, "%s", network->name);
    return true;
}

/** Calls classify() for each precision and scheme asked for; only counts them where rows is NULL.
 */
static bool classify_all(struct classification *work, struct network_rows *rows,
                         struct error *error) {
    const struct cli_list *precisions = &work->options->precisions;
    const struct cli_list *schemes = &work->options->schemes;
    for (size_t p = 0; p < precisions->count; p++) {
        const nm_precision precision = (nm_precision)precisions->value[p];
        const size_t count = precision == NM_F32 ? 1 : schemes->count;
        for (size_t s = 0; s < count; s++) {
            const int scheme = precision == NM_F32 ? NONE : (int)schemes->value[s];
            if (scheme != NONE && !scheme_applies(precision, (nm_scheme)scheme))
                continue;
            if (!rows)
                work->runs++;
            else if (!classify(work, precision, scheme, rows, error))
                return false;
        }
    }
    return true;
}

bool network_rows_add(struct network_rows *rows, const struct network *network,
                      const struct accuracy_options *options, struct error *error) {
    if (!network->test)
        return true;
    struct classification work = {
        .network = network, .options = options, .since = monotonic_seconds()};
    bool good = read_test_set(network, options, &work.set, error) &&
                calibrate(network, options, &work.calibration, error);
    if (good) {
        const size_t available = work.set.images.shape[0];
        work.images = options->images < available ? options->images : available;
        free(rows->source);
        rows->source = need_format("%s", work.set.source);
        good = classify_all(&work, NULL, error) && classify_all(&work, rows, error);
        progress_clear();
    }
    calibration_destroy(&work.calibration);
    test_set_destroy(&work.set);
    return good;
}
