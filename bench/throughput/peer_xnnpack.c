/**
 * XNNPACK's NHWC convolution operators: f32, and qc8 (int8 with a scale for each output channel).
 * It has no u8 x s8: inputs and outputs are our uint8 ones less 128, with zero points of -128,
 * which is the same arithmetic.
 */
#include "base/context.h"
#include "base/memory.h"
#include "base/output.h"
#include "base/tensor.h"
#include "throughput/peer.h"

#include <math.h>
#include <pthreadpool.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <xnnpack.h>

struct xnnpack {
    xnn_operator_t *operators; /**< [copies] */
    size_t copies, next;
    pthreadpool_t pool; /**< NULL for one thread */
    void *input, *output;
    size_t output_bytes;
    bool quantized;
};

static void version(char *text, size_t size) {
    // The library does not tell; the package is named by its snapshot.
    snprintf(text, size, "XNNPACK %s", XNNPACK_VERSION);
}

static bool supports(nm_precision precision) { return precision == NM_F32 || precision == NM_W8A8; }

static enum xnn_status plan(struct xnnpack *x, const struct operands *o, xnn_operator_t *operator) {
    const nm_conv_desc *d = &o->desc;
    const uint32_t top = (uint32_t)d->padding[0], left = (uint32_t)d->padding[1];
    const uint32_t bottom = (uint32_t)d->padding[2], right = (uint32_t)d->padding[3];
    const uint32_t kh = (uint32_t)d->kernel_height, kw = (uint32_t)d->kernel_width;
    const uint32_t sh = (uint32_t)d->stride[0], sw = (uint32_t)d->stride[1];
    const uint32_t dh = (uint32_t)d->dilation[0], dw = (uint32_t)d->dilation[1];
    const uint32_t groups = (uint32_t)d->groups;
    const size_t c = d->in_channels, k = d->out_channels;
    enum xnn_status status;
    if (x->quantized) {
        status = xnn_create_convolution2d_nhwc_qc8(
            top, right, bottom, left, kh, kw, sh, sw, dh, dw, groups, c / groups, k / groups, c, k,
            -128, 1, o->scale, o->weights, o->bias, -128, 1, -128, 127, 0, operator);
        return status ? status
                      : xnn_setup_convolution2d_nhwc_qc8(*operator, d->batch, d->in_height,
                                                         d->in_width, x->input, x->output, x->pool);
    }
    status = xnn_create_convolution2d_nhwc_f32(top, right, bottom, left, kh, kw, sh, sw, dh, dw,
                                               groups, c / groups, k / groups, c, k, o->weights,
                                               o->bias, -INFINITY, INFINITY, 0, operator);
    return status ? status
                  : xnn_setup_convolution2d_nhwc_f32(*operator, d->batch, d->in_height, d->in_width,
                                                     x->input, x->output, x->pool);
}

static void run(void *state) {
    struct xnnpack *x = state;
    xnn_run_operator(x->operators[x->next], x->pool);
    x->next = x->next + 1 < x->copies ? x->next + 1 : 0;
}

/** Between uint8 and int8 with a zero point of -128: the top bit flips. */
static void flip(void *to, const void *from, size_t count) {
    for (size_t i = 0; i < count; i++)
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i] ^ 0x80;
}

static void fetch(void *state, void *output) {
    const struct xnnpack *x = state;
    if (x->quantized)
        flip(output, x->output, x->output_bytes);
    else
        memcpy(output, x->output, x->output_bytes);
}

static void nothing(void *context, size_t index) {
    (void)context;
    (void)index;
}

/** The pool's threads wait busily for some 10 ms after a run, but not after one that says so. */
static void rest(void *state) {
    const struct xnnpack *x = state;
    pthreadpool_parallelize_1d(x->pool, nothing, NULL, pthreadpool_get_threads_count(x->pool),
                               PTHREADPOOL_FLAG_YIELD_WORKERS);
}

static void destroy(void *state) {
    struct xnnpack *x = state;
    for (size_t i = 0; i < x->copies; i++)
        xnn_delete_operator(x->operators[i]);
    free(x->operators);
    if (x->pool)
        pthreadpool_destroy(x->pool);
    free(x->input);
    free(x->output);
    free(x);
}

/** A pool whose threads may run on every CPU: they inherit the creator's set, and OpenMP has bound
 *  this thread to one core. */
static pthreadpool_t create_pool(unsigned threads) {
    cpu_set_t bound, all;
    const bool known = sched_getaffinity(0, sizeof bound, &bound) == 0;
    CPU_ZERO(&all);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        CPU_SET(cpu, &all);
    if (known)
        sched_setaffinity(0, sizeof all, &all);
    pthreadpool_t pool = pthreadpool_create(threads);
    if (known)
        sched_setaffinity(0, sizeof bound, &bound);
    return pool;
}

static bool fill(struct xnnpack *x, const struct operands *o, unsigned threads, size_t copies_bytes,
                 struct runner *runner) {
    const nm_conv_desc *d = &o->desc;
    const size_t values = d->batch * d->in_height * d->in_width * d->in_channels;
    const size_t size = x->quantized ? 1 : sizeof(float);
    x->output_bytes = o->output_bytes;
    x->input = aligned_bytes(values * size + XNN_EXTRA_BYTES);
    x->output = aligned_bytes(o->output_bytes + XNN_EXTRA_BYTES);
    if (xnn_initialize(NULL) || !x->input || !x->output)
        return false;
    if (x->quantized)
        flip(x->input, o->input, values);
    else
        memcpy(x->input, o->input, values * size);
    if (threads > 1 && !(x->pool = create_pool(threads)))
        return false;
    const size_t bytes =
        d->kernel_height * d->kernel_width * d->in_channels / d->groups * d->out_channels * size;
    const size_t wanted = runner_copies(bytes, copies_bytes);
    x->operators = need(wanted, sizeof *x->operators);
    const double start = monotonic_seconds();
    for (; x->copies < wanted; x->copies++) {
        if (plan(x, o, &x->operators[x->copies]))
            return false;
    }
    runner->plan_seconds = (monotonic_seconds() - start) / (double)wanted;
    runner->copies = wanted;
    runner->cycled_bytes = wanted * bytes;
    snprintf(runner->kernel, sizeof runner->kernel, "nhwc_%s", x->quantized ? "qc8" : "f32");
    return true;
}

static bool create(const struct operands *operands, unsigned threads, size_t copies_bytes,
                   struct runner *runner, struct error *error) {
    struct xnnpack *x = need(1, sizeof *x);
    x->quantized = operands->desc.precision == NM_W8A8;
    *runner = (struct runner){.state = x,
                              .run = run,
                              .fetch = fetch,
                              .rest = threads > 1 ? rest : NULL,
                              .destroy = destroy};
    if (fill(x, operands, threads, copies_bytes, runner))
        return true;
    runner_destroy(runner);
    return fail(error, "xnnpack: it has no operator for this layer; leave it out by --filter");
}

const struct peer peer_xnnpack = {
    .name = "xnnpack",
    .package = "libxnnpack-dev",
    .version = version,
    .supports = supports,
    .slack = 1,
    .create = create,
};
