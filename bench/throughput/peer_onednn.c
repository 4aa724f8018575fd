/**
 * oneDNN's convolution (https://oneapi-src.github.io/oneDNN/v2.6/): f32, and u8 x s8 -> u8 with one
 * output scale for each channel. All layouts are its choice. It reads DNNL_MAX_CPU_ISA.
 */
#include "base/memory.h"
#include "base/output.h"
#include "base/tensor.h"
#include "throughput/peer.h"

#include <dnnl.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

struct onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    dnnl_memory_t input, bias, output;
    dnnl_memory_t *weights; /**< [copies] */
    size_t copies, next;
    dnnl_memory_desc_t nhwc_output;
    int threads;
};

static const struct {
    dnnl_cpu_isa_t isa;
    const char *name;
} isas[] = {
    {dnnl_cpu_isa_sse41, "SSE4.1"},
    {dnnl_cpu_isa_avx, "AVX"},
    {dnnl_cpu_isa_avx2, "AVX2"},
    {dnnl_cpu_isa_avx2_vnni, "AVX-VNNI"},
    {dnnl_cpu_isa_avx512_core, "AVX-512"},
    {dnnl_cpu_isa_avx512_core_vnni, "AVX-512 VNNI"},
    {dnnl_cpu_isa_avx512_core_bf16, "AVX-512 VNNI and BF16"},
    {dnnl_cpu_isa_avx512_core_amx, "AMX"},
};

static void version(char *text, size_t size) {
    const dnnl_version_t *v = dnnl_version();
    const dnnl_cpu_isa_t effective = dnnl_get_effective_cpu_isa();
    const char *isa = "another ISA";
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        if (isas[i].isa == effective)
            isa = isas[i].name;
    }
    snprintf(text, size, "oneDNN %d.%d.%d, up to %s", v->major, v->minor, v->patch, isa);
}

static bool supports(nm_precision precision) { return precision == NM_F32 || precision == NM_W8A8; }

/** The tensors of one layer, as oneDNN sees them: dimensions, and strides of our layouts. */
struct shapes {
    dnnl_dims_t input, input_strides, weights, weights_strides, bias, output, output_strides;
    dnnl_dims_t strides, dilates, padding_before, padding_after;
    dnnl_data_type_t activation_type, weight_type, bias_type;
    int weights_rank; /**< 5 with groups */
};

static void set(dnnl_dim_t *to, size_t count, const size_t *from) {
    for (size_t i = 0; i < count; i++)
        to[i] = (dnnl_dim_t)from[i];
}

static struct shapes shapes_of(const struct operands *o) {
    const nm_conv_desc *d = &o->desc;
    const size_t c = d->in_channels, k = d->out_channels, i = c / d->groups;
    const size_t kh = d->kernel_height, kw = d->kernel_width, h = d->in_height, w = d->in_width;
    const size_t oh = o->out_height, ow = o->out_width;
    const bool real = d->precision == NM_F32;
    struct shapes s = {.activation_type = real ? dnnl_f32 : dnnl_u8,
                       .weight_type = real ? dnnl_f32 : dnnl_s8,
                       .bias_type = real ? dnnl_f32 : dnnl_s32,
                       .weights_rank = d->groups > 1 ? 5 : 4};
    set(s.input, 4, (size_t[]){d->batch, c, h, w});
    set(s.input_strides, 4, (size_t[]){h * w * c, 1, w * c, c});
    set(s.output, 4, (size_t[]){d->batch, k, oh, ow});
    set(s.output_strides, 4, (size_t[]){oh * ow * k, 1, ow * k, k});
    set(s.bias, 1, &k);
    const size_t group = k / d->groups;
    const size_t weights[] = {d->groups, group, i, kh, kw};
    const size_t strides[] = {group * kh * kw * i, kh * kw * i, 1, kw * i, i};
    const size_t skip = d->groups > 1 ? 0 : 1; // no group dimension
    set(s.weights, 5 - skip, weights + skip);
    set(s.weights_strides, 5 - skip, strides + skip);
    set(s.strides, 2, d->stride);
    set(s.padding_before, 2, d->padding);
    set(s.padding_after, 2, d->padding + 2);
    for (size_t axis = 0; axis < 2; axis++)
        s.dilates[axis] = (dnnl_dim_t)d->dilation[axis] - 1;
    return s;
}

static bool describe(struct onednn *x, const struct operands *o, const struct shapes *s) {
    dnnl_memory_desc_t input, weights, bias, output;
    dnnl_convolution_desc_t convolution;
    dnnl_primitive_attr_t attributes;
    if (dnnl_memory_desc_init_by_tag(&input, 4, s->input, s->activation_type,
                                     dnnl_format_tag_any) ||
        dnnl_memory_desc_init_by_tag(&weights, s->weights_rank, s->weights, s->weight_type,
                                     dnnl_format_tag_any) ||
        dnnl_memory_desc_init_by_tag(&bias, 1, s->bias, s->bias_type, dnnl_x) ||
        dnnl_memory_desc_init_by_tag(&output, 4, s->output, s->activation_type,
                                     dnnl_format_tag_any) ||
        dnnl_dilated_convolution_forward_desc_init(
            &convolution, dnnl_forward_inference, dnnl_convolution_direct, &input, &weights, &bias,
            &output, s->strides, s->dilates, s->padding_before, s->padding_after) ||
        dnnl_primitive_attr_create(&attributes))
        return false;
    const bool good =
        (!o->scale || !dnnl_primitive_attr_set_output_scales(
                          attributes, (dnnl_dim_t)o->desc.out_channels, 1 << 1, o->scale)) &&
        !dnnl_primitive_desc_create(&x->description, &convolution, attributes, x->engine, NULL);
    dnnl_primitive_attr_destroy(attributes);
    return good;
}

/** Copies between layouts: our data at from, or oneDNN's into our data at to. */
static bool reorder(struct onednn *x, dnnl_memory_t from, dnnl_memory_t to) {
    const dnnl_memory_desc_t *from_desc, *to_desc;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    if (dnnl_memory_get_memory_desc(from, &from_desc) ||
        dnnl_memory_get_memory_desc(to, &to_desc) ||
        dnnl_reorder_primitive_desc_create(&description, from_desc, x->engine, to_desc, x->engine,
                                           NULL))
        return false;
    bool good = !dnnl_primitive_create(&primitive, description);
    dnnl_primitive_desc_destroy(description);
    if (!good)
        return false;
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    good =
        !dnnl_primitive_execute(primitive, x->stream, 2, arguments) && !dnnl_stream_wait(x->stream);
    dnnl_primitive_destroy(primitive);
    return good;
}

/** Memory in the layout that the primitive asks for, filled from our data. */
static bool take(struct onednn *x, dnnl_query_t what, const dnnl_memory_desc_t *ours, void *data,
                 dnnl_memory_t *memory) {
    dnnl_memory_t source;
    if (dnnl_memory_create(memory, dnnl_primitive_desc_query_md(x->description, what, 0), x->engine,
                           DNNL_MEMORY_ALLOCATE))
        return false;
    if (dnnl_memory_create(&source, ours, x->engine, data))
        return false;
    const bool good = reorder(x, source, *memory);
    dnnl_memory_destroy(source);
    return good;
}

static bool load(struct onednn *x, const struct operands *o, const struct shapes *s,
                 size_t copies_bytes) {
    dnnl_memory_desc_t input, weights, bias;
    if (dnnl_memory_desc_init_by_strides(&input, 4, s->input, s->activation_type,
                                         s->input_strides) ||
        dnnl_memory_desc_init_by_strides(&weights, s->weights_rank, s->weights, s->weight_type,
                                         s->weights_strides) ||
        dnnl_memory_desc_init_by_tag(&bias, 1, s->bias, s->bias_type, dnnl_x) ||
        dnnl_memory_desc_init_by_strides(&x->nhwc_output, 4, s->output, s->activation_type,
                                         s->output_strides))
        return false;
    const size_t bytes = dnnl_memory_desc_get_size(
        dnnl_primitive_desc_query_md(x->description, dnnl_query_weights_md, 0));
    const size_t wanted = runner_copies(bytes, copies_bytes);
    x->weights = need(wanted, sizeof *x->weights);
    for (; x->copies < wanted; x->copies++) {
        if (!take(x, dnnl_query_weights_md, &weights, o->weights, &x->weights[x->copies]))
            return false;
    }
    return take(x, dnnl_query_src_md, &input, o->input, &x->input) &&
           !dnnl_memory_create(&x->bias, &bias, x->engine, o->bias) &&
           !dnnl_memory_create(&x->output,
                               dnnl_primitive_desc_query_md(x->description, dnnl_query_dst_md, 0),
                               x->engine, DNNL_MEMORY_ALLOCATE);
}

static void run(void *state) {
    struct onednn *x = state;
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, x->input},
                                         {DNNL_ARG_WEIGHTS, x->weights[x->next]},
                                         {DNNL_ARG_BIAS, x->bias},
                                         {DNNL_ARG_DST, x->output}};
    omp_set_num_threads(x->threads);
    dnnl_primitive_execute(x->primitive, x->stream, 4, arguments);
    dnnl_stream_wait(x->stream);
    x->next = x->next + 1 < x->copies ? x->next + 1 : 0;
}

static void fetch(void *state, void *output) {
    struct onednn *x = state;
    dnnl_memory_t ours;
    if (dnnl_memory_create(&ours, &x->nhwc_output, x->engine, output))
        return;
    reorder(x, x->output, ours);
    dnnl_memory_destroy(ours);
}

static void destroy(void *state) {
    struct onednn *x = state;
    for (size_t i = 0; i < x->copies; i++)
        dnnl_memory_destroy(x->weights[i]);
    free(x->weights);
    dnnl_memory_destroy(x->input);
    dnnl_memory_destroy(x->bias);
    dnnl_memory_destroy(x->output);
    dnnl_primitive_destroy(x->primitive);
    dnnl_primitive_desc_destroy(x->description);
    dnnl_stream_destroy(x->stream);
    dnnl_engine_destroy(x->engine);
    free(x);
}

static bool fill(struct onednn *x, const struct operands *o, size_t copies_bytes,
                 struct runner *runner) {
    const struct shapes shapes = shapes_of(o);
    const double start = monotonic_seconds();
    if (dnnl_engine_create(&x->engine, dnnl_cpu, 0) ||
        dnnl_stream_create(&x->stream, x->engine, dnnl_stream_default_flags) ||
        !describe(x, o, &shapes) || dnnl_primitive_create(&x->primitive, x->description))
        return false;
    const double compiled = monotonic_seconds() - start;
    const double before = monotonic_seconds();
    if (!load(x, o, &shapes, copies_bytes))
        return false;
    runner->plan_seconds = compiled + (monotonic_seconds() - before) / (double)x->copies;
    runner->copies = x->copies;
    runner->weight_bytes = dnnl_memory_desc_get_size(
        dnnl_primitive_desc_query_md(x->description, dnnl_query_weights_md, 0));
    runner->cycled_bytes = x->copies * runner->weight_bytes;
    dnnl_dim_t scratch = 0;
    dnnl_primitive_desc_query(x->description, dnnl_query_memory_consumption_s64, 0, &scratch);
    runner->workspace_bytes = (size_t)scratch;
    const char *name = "";
    dnnl_primitive_desc_query(x->description, dnnl_query_impl_info_str, 0, (void *)&name);
    snprintf(runner->kernel, sizeof runner->kernel, "%s", name);
    return true;
}

static bool create(const struct operands *operands, unsigned threads, size_t copies_bytes,
                   struct runner *runner, struct error *error) {
    struct onednn *x = need(1, sizeof *x);
    x->threads = (int)threads;
    omp_set_num_threads(x->threads); // it partitions the work when it plans
    *runner = (struct runner){.state = x,
                              .run = run,
                              .fetch = fetch,
                              .rest = threads > 1 ? runner_rest_openmp : NULL,
                              .destroy = destroy};
    if (fill(x, operands, copies_bytes, runner))
        return true;
    runner_destroy(runner);
    return fail(error, "onednn: it has no convolution for this layer; leave it out by --filter");
}

const struct peer peer_onednn = {
    .name = "onednn",
    .package = "libdnnl-dev",
    .version = version,
    .supports = supports,
    .slack = 1,
    .create = create,
};
