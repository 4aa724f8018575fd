#include "accuracy/accuracy.h"
#include "base/memory.h"
#include "network/network_pool.h"
#include "network/network_tflite.h"
#include "network/network_trace.h"

#include <stdlib.h>
#include <string.h>

/** A network's goldens while its rows are made. */
struct subject {
    const struct network *network;
    const struct accuracy_options *options;
    struct safetensors goldens;
    const float *input;
    size_t images;
};

static bool is_reported(const struct subject *subject, const struct layer *layer) {
    const char *only = subject->options->layer;
    return golden_find(&subject->goldens, layer->name) && (!only || strcmp(only, layer->name) == 0);
}

static void first_values(const float *reference, const float *values, struct layer_row *row) {
    size_t found = 0;
    for (size_t i = 0; i < row->metrics.count && found < FIRST_VALUES; i++) {
        if (reference[i] > 0) {
            row->first_reference[found] = reference[i];
            row->first[found++] = values[i];
        }
    }
}

static struct layer_row *add_row(struct layer_rows *rows, const struct subject *subject,
                                 const struct layer *layer, const float *values) {
    const float *reference = golden_find(&subject->goldens, layer->name);
    rows->row = need_more(rows->row, rows->count + 1, sizeof *rows->row);
    struct layer_row *row = &rows->row[rows->count++];
    *row = (struct layer_row){
        .isolated = subject->options->isolated,
        .precision = NM_W8A8,
        .scheme = NONE,
        .rounding = NONE,
        .images = subject->images,
        .metrics = metrics_of(reference, values, subject->images * volume_size(layer->out)),
    };
    snprintf(row->network, sizeof row->network, "%s", subject->network->name);
    snprintf(row->layer, sizeof row->layer, "%s", layer->name);
    first_values(reference, values, row);
    return row;
}

/** Rows of one precision and scheme. */
static bool add_quantized(struct layer_rows *rows, const struct subject *subject,
                          nm_precision precision, int scheme, struct error *error) {
    const struct accuracy_options *options = subject->options;
    const struct conv_setting setting = {.precision = precision,
                                         .scheme = scheme == NONE ? 0 : (nm_scheme)scheme,
                                         .isa = options->isa,
                                         .threads = options->threads};
    struct trace trace;
    if (!trace_run(subject->network, &setting, subject->input, subject->images,
                   options->isolated ? &subject->goldens : NULL, &trace, error))
        return false;
    for (size_t i = 0; i < subject->network->layer_count; i++) {
        const struct layer *layer = &subject->network->layers[i];
        if (!is_reported(subject, layer))
            continue;
        struct layer_row *row = add_row(rows, subject, layer, trace.output[i]);
        row->precision = precision;
        row->scheme = scheme;
    }
    trace_destroy(&trace);
    return true;
}

/* ---- TensorFlow Lite's parameters --------------------------------------------------------- */

static void add_tflite_row(struct layer_rows *rows, const struct subject *subject,
                           const struct tflite_layer *layer, nm_rounding rounding,
                           const int8_t *output) {
    const size_t count = subject->images * volume_size(layer->layer->out);
    float *values = need(count, sizeof *values);
    size_t mismatches = 0;
    for (size_t i = 0; i < count; i++) {
        values[i] = layer->output_scale * (float)(output[i] - layer->output_zero_point);
        mismatches += output[i] != layer->output[i];
    }
    struct layer_row *row = add_row(rows, subject, layer->layer, values);
    row->scheme = NM_SCHEME_PER_CHANNEL;
    row->rounding = rounding;
    row->tflite_mismatches = mismatches;
    free(values);
}

static bool run_tflite_layer(const struct subject *subject, const struct tflite_layer *layer,
                             nm_rounding rounding, const int8_t *input, int8_t *output,
                             struct error *error) {
    const struct accuracy_options *options = subject->options;
    struct conv_plan plan;
    if (!tflite_plan(layer, rounding, subject->images, options->isa, options->threads, &plan,
                     error))
        return false;
    void *workspace = aligned_bytes(plan.workspace_size);
    if (workspace)
        nm_conv_run(plan.conv, input, output, workspace, options->threads);
    conv_plan_destroy(&plan);
    free(workspace);
    return workspace || fail_memory(error, layer->layer->name);
}

/** The whole network on TensorFlow Lite's int8 input; isolated layers each take TensorFlow Lite's.
 */
static bool add_tflite(struct layer_rows *rows, const struct subject *subject,
                       const struct tflite *tflite, nm_rounding rounding, struct error *error) {
    const struct network *network = subject->network;
    const size_t widest = subject->images * network_widest(network);
    int8_t *input = need(widest, 1), *output = need(widest, 1);
    const struct tflite_layer *next = tflite->layers;
    bool good = true;
    memcpy(input, next->input, subject->images * volume_size(next->layer->in));
    for (size_t i = 0; good && i < network->layer_count; i++) {
        const struct layer *layer = &network->layers[i];
        if (layer->op == LAYER_POOL) {
            pool_int8(layer, subject->images, input, output);
        } else {
            const int8_t *from = subject->options->isolated ? next->input : input;
            good = run_tflite_layer(subject, next, rounding, from, output, error);
            if (good && is_reported(subject, layer))
                add_tflite_row(rows, subject, next, rounding, output);
            next++;
        }
        int8_t *written = output;
        output = input;
        input = written;
    }
    free(input);
    free(output);
    return good;
}

static bool add_tflite_both(struct layer_rows *rows, const struct subject *subject,
                            struct error *error) {
    struct tflite tflite;
    if (!tflite_read(subject->network, subject->images, &tflite, error))
        return false;
    const bool good =
        tflite.layer_count == 0 || (add_tflite(rows, subject, &tflite, NM_ROUNDING_TFLITE, error) &&
                                    add_tflite(rows, subject, &tflite, NM_ROUNDING_FLOAT, error));
    tflite_destroy(&tflite);
    return good;
}

/* ---- Rows --------------------------------------------------------------------------------- */

static bool add_precision(struct layer_rows *rows, const struct subject *subject,
                          nm_precision precision, struct error *error) {
    const struct cli_list *schemes = &subject->options->schemes;
    if (precision == NM_F32)
        return add_quantized(rows, subject, precision, NONE, error);
    for (size_t s = 0; s < schemes->count; s++) {
        const nm_scheme scheme = (nm_scheme)schemes->value[s];
        if (!scheme_applies(precision, scheme))
            continue;
        if (!add_quantized(rows, subject, precision, (int)scheme, error))
            return false;
        if (precision == NM_W8A8 && scheme == NM_SCHEME_PER_CHANNEL && subject->network->tflite &&
            !add_tflite_both(rows, subject, error))
            return false;
    }
    return true;
}

/** Rows come precision by precision; readers want them layer by layer. */
static void sort_by_layer(const struct network *network, struct layer_rows *rows, size_t start) {
    const size_t count = rows->count - start;
    struct layer_row *sorted = need(count, sizeof *sorted);
    size_t at = 0;
    for (size_t i = 0; i < network->layer_count; i++) {
        for (size_t r = start; r < rows->count; r++) {
            if (strcmp(rows->row[r].layer, network->layers[i].name) == 0)
                sorted[at++] = rows->row[r];
        }
    }
    memcpy(rows->row + start, sorted, count * sizeof *sorted);
    free(sorted);
}

bool layer_rows_add(struct layer_rows *rows, const struct network *network,
                    const struct accuracy_options *options, struct error *error) {
    struct subject subject = {.network = network, .options = options};
    const struct tensor *input;
    const size_t start = rows->count;
    if (!network_goldens(network, &subject.goldens, &input, error))
        return false;
    subject.input = input->data;
    subject.images = input->shape[0];
    bool good = true;
    for (size_t p = 0; good && p < options->precisions.count; p++)
        good = add_precision(rows, &subject, (nm_precision)options->precisions.value[p], error);
    if (rows->count > start)
        sort_by_layer(network, rows, start);
    safetensors_destroy(&subject.goldens);
    return good;
}
