#include "network/network_trace.h"
#include "base/memory.h"
#include "network/network_pool.h"

#include <stdlib.h>
#include <string.h>

/** count float values as the precision's input type; new memory. */
static void *quantize_input(const float *values, size_t count, nm_precision precision,
                            nm_qparams params) {
    uint8_t *bytes = need(count, 1);
    nm_quantize(values, count, params, bytes);
    if (precision != NM_W4A4)
        return bytes;
    uint8_t *packed = need((count + 1) / 2, 1);
    nm_pack_int4(bytes, count, packed);
    free(bytes);
    return packed;
}

static bool run_conv(const struct layer *layer, const struct conv_setting *setting,
                     const float *input, size_t images, float *output, struct error *error) {
    const size_t count = images * volume_size(layer->in);
    struct conv_io io = {.batch = images};
    void *quantized = NULL;
    if (setting->precision != NM_F32) {
        io.input = nm_qparams_choose(setting->scheme, input, count, 0,
                                     activation_qmax(setting->precision));
        quantized = quantize_input(input, count, setting->precision, io.input);
    }
    struct conv_plan plan;
    bool good = conv_plan_create(layer, setting, &io, &plan, error);
    if (good) {
        void *workspace = aligned_bytes(plan.workspace_size);
        good = workspace || fail_memory(error, layer->name);
        if (good)
            nm_conv_run(plan.conv, quantized ? quantized : input, output, workspace,
                        setting->threads);
        free(workspace);
    }
    conv_plan_destroy(&plan);
    free(quantized);
    return good;
}

bool trace_run(const struct network *network, const struct conv_setting *setting,
               const float *input, size_t images, const struct safetensors *goldens,
               struct trace *trace, struct error *error) {
    *trace = (struct trace){.images = images,
                            .count = network->layer_count,
                            .output = need(network->layer_count, sizeof(float *))};
    for (size_t i = 0; i < network->layer_count; i++) {
        const struct layer *layer = &network->layers[i];
        float *output = need(images * volume_size(layer->out), sizeof *output);
        trace->output[i] = output;
        if (layer->op == LAYER_POOL) {
            pool_float(layer, images, input, output);
        } else if (!run_conv(layer, setting, input, images, output, error)) {
            trace_destroy(trace);
            return false;
        }
        const float *golden = golden_find(goldens, layer->name);
        input = golden ? golden : output;
    }
    return true;
}

void trace_destroy(struct trace *trace) {
    for (size_t i = 0; i < trace->count; i++)
        free(trace->output[i]);
    free(trace->output);
    *trace = (struct trace){0};
}
