#include "network/network_plan.h"
#include "base/memory.h"
#include "network/network_pool.h"

#include <stdlib.h>
#include <string.h>

struct network_plan {
    const struct network *network;
    nm_precision precision;
    size_t batch;
    struct conv_plan *convs; /**< one a layer; empty for pools */
    size_t last_conv;        /**< the layer whose output is float32 */
    size_t workspace_size;
    uint8_t code[256]; /**< of each pixel value; not for f32 */
};

/** What one thread works in. */
struct scratch {
    void *activations[2];
    void *workspace;
};

void network_ranges(const struct network *network, const struct trace *trace, const float *input,
                    const struct conv_setting *setting, nm_qparams *ranges) {
    for (size_t i = 0; i < network->layer_count; i++) {
        const struct layer *layer = &network->layers[i];
        const float *values = i ? trace->output[i - 1] : input;
        if (layer->op == LAYER_CONV)
            ranges[i] =
                nm_qparams_choose(setting->scheme, values, trace->images * volume_size(layer->in),
                                  0, activation_qmax(setting->precision));
    }
}

/* ---- Planning ----------------------------------------------------------------------------- */

static size_t next_conv(const struct network *network, size_t i) {
    while (i < network->layer_count && network->layers[i].op != LAYER_CONV)
        i++;
    return i;
}

static void map_pixels(struct network_plan *plan, nm_qparams params) {
    float values[256];
    for (size_t i = 0; i < 256; i++)
        values[i] = (float)i / 255;
    nm_quantize(values, 256, params, plan->code);
}

static bool plan_layers(const struct conv_setting *setting, const nm_qparams *ranges,
                        struct network_plan *plan, struct error *error) {
    const struct network *network = plan->network;
    for (size_t i = next_conv(network, 0); i < network->layer_count;) {
        // A pool between does not change codes, so an output takes the next input's quantization.
        const size_t next = next_conv(network, i + 1);
        struct conv_io io = {.batch = plan->batch};
        if (ranges) {
            io.input = ranges[i];
            io.output = next < network->layer_count ? &ranges[next] : NULL;
        }
        struct conv_plan *conv = &plan->convs[i];
        if (!conv_plan_create(&network->layers[i], setting, &io, conv, error))
            return false;
        if (conv->workspace_size > plan->workspace_size)
            plan->workspace_size = conv->workspace_size;
        plan->last_conv = i;
        i = next;
    }
    if (ranges)
        map_pixels(plan, ranges[next_conv(network, 0)]);
    return true;
}

bool network_plan_create(const struct network *network, const struct conv_setting *setting,
                         const nm_qparams *ranges, size_t batch, struct network_plan **result,
                         struct error *error) {
    struct network_plan *plan = need(1, sizeof *plan);
    *plan = (struct network_plan){
        .network = network,
        .precision = setting->precision,
        .batch = batch,
        .convs = need(network->layer_count, sizeof *plan->convs),
    };
    // Threads share out batches, not the tiles of one layer.
    struct conv_setting single = *setting;
    single.threads = 1;
    *result = plan;
    if (plan_layers(&single, ranges, plan, error))
        return true;
    network_plan_destroy(plan);
    *result = NULL;
    return false;
}

void network_plan_destroy(struct network_plan *plan) {
    for (size_t i = 0; plan && i < plan->network->layer_count; i++)
        conv_plan_destroy(&plan->convs[i]);
    if (plan)
        free(plan->convs);
    free(plan);
}

/* ---- Running ------------------------------------------------------------------------------ */

static bool scratch_create(const struct network_plan *plan, struct scratch *scratch) {
    const size_t bytes = plan->batch * network_widest(plan->network) * sizeof(float);
    *scratch = (struct scratch){{aligned_bytes(bytes), aligned_bytes(bytes)},
                                aligned_bytes(plan->workspace_size)};
    return scratch->activations[0] && scratch->activations[1] && scratch->workspace;
}

static void scratch_destroy(struct scratch *scratch) {
    free(scratch->activations[0]);
    free(scratch->activations[1]);
    free(scratch->workspace);
}

/** Puts what was written last where inputs are read. */
static void turn(struct scratch *scratch) {
    void *written = scratch->activations[1];
    scratch->activations[1] = scratch->activations[0];
    scratch->activations[0] = written;
}

/** Pixels as the first layer's input; images beyond count, up to the batch, stay as they were. */
static void load_pixels(const struct network_plan *plan, const uint8_t *pixels, size_t count,
                        struct scratch *scratch) {
    const size_t values = count * volume_size(plan->network->input);
    float *floats = scratch->activations[0];
    uint8_t *codes = scratch->activations[0];
    if (plan->precision == NM_F32) {
        for (size_t i = 0; i < values; i++)
            floats[i] = (float)pixels[i] / 255;
    } else {
        for (size_t i = 0; i < values; i++)
            codes[i] = plan->code[pixels[i]];
    }
}

static void run_conv(const struct network_plan *plan, size_t i, struct scratch *scratch) {
    const struct layer *layer = &plan->network->layers[i];
    if (plan->precision == NM_W4A4) {
        nm_pack_int4(scratch->activations[0], plan->batch * volume_size(layer->in),
                     scratch->activations[1]);
        turn(scratch);
    }
    nm_conv_run(plan->convs[i].conv, scratch->activations[0], scratch->activations[1],
                scratch->workspace, 1);
}

/** Runs a batch; its logits are then in activations[0]. */
static void run_layers(const struct network_plan *plan, struct scratch *scratch) {
    for (size_t i = 0; i < plan->network->layer_count; i++) {
        const struct layer *layer = &plan->network->layers[i];
        if (layer->op == LAYER_CONV)
            run_conv(plan, i, scratch);
        else if (plan->precision == NM_F32 || i > plan->last_conv)
            pool_float(layer, plan->batch, scratch->activations[0], scratch->activations[1]);
        else
            pool_uint8(layer, plan->batch, scratch->activations[0], scratch->activations[1]);
        turn(scratch);
    }
}

static size_t count_right(const float *logits, size_t classes, const uint8_t *labels,
                          size_t count) {
    size_t right = 0;
    for (size_t i = 0; i < count; i++, logits += classes) {
        size_t best = 0;
        for (size_t c = 1; c < classes; c++)
            best = logits[c] > logits[best] ? c : best;
        right += best == labels[i];
    }
    return right;
}

bool network_plan_top1(const struct network_plan *plan, const uint8_t *pixels,
                       const uint8_t *labels, size_t count, unsigned threads,
                       void (*done)(void *context, size_t images), void *context, size_t *right,
                       struct error *error) {
    const struct network *network = plan->network;
    const size_t values = volume_size(network->input);
    const size_t classes = volume_size(network->layers[network->layer_count - 1].out);
    const size_t batches = (count + plan->batch - 1) / plan->batch;
    size_t total = 0, finished = 0;
    bool good = true;
#pragma omp parallel num_threads(threads) reduction(+ : total) reduction(&& : good)
    {
        struct scratch scratch;
        good = scratch_create(plan, &scratch);
#pragma omp for schedule(dynamic)
        for (size_t b = 0; b < batches; b++) {
            if (!good)
                continue;
            const size_t first = b * plan->batch;
            const size_t images = count - first < plan->batch ? count - first : plan->batch;
            load_pixels(plan, pixels + first * values, images, &scratch);
            run_layers(plan, &scratch);
            total += count_right(scratch.activations[0], classes, labels + first, images);
#pragma omp critical
            {
                finished += images;
                if (done)
                    done(context, finished);
            }
        }
        scratch_destroy(&scratch);
    }
    *right = total;
    return good || fail_memory(error, network->name);
}
