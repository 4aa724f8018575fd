/**
 * Every kernel on every tier that this machine has, against the scalar reference: bit for bit, for
 * f32 against double within a bound.
 *
 * Each case is run three times, with all buffers against the end or the start of inaccessible
 * pages, garbage around them and in the workspace, 1, 2 or 5 threads, and planned for each
 * processor that plans differ for.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv_case.h"
#include "dtype.h"
#include "guard.h"
#include "naive.h"
#include "tap.h"
#include "tier.h"

typedef struct options {
    uint64_t seed;
    uint64_t count;        /**< random cases a kind */
    const char *filter;    /**< substring of KIND/TIER */
    const char *case_name; /**< NULL for all */
} options;

enum { INPUT, WEIGHTS, BIAS, SCALE, GROUP_SCALE, MULTIPLIER, SHIFT, OUTPUT, WORKSPACE, BUFFERS };
static const char *const buffer_names[BUFFERS] = {"input", "weights",     "bias",
                                                  "scale", "group_scale", "multiplier",
                                                  "shift", "output",      "workspace"};
static guard buffers[BUFFERS];
/** More than any case needs, a workspace for several threads included; only touched pages cost. */
#define BUFFER_BYTES ((size_t)64 << 20)

/** What is wrong with the case that is running; empty when nothing is. */
static char failure[512];

__attribute__((format(printf, 1, 2))) static bool fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure, sizeof failure, format, arguments);
    va_end(arguments);
    return false;
}

/** A guarded copy of n bytes; NULL stays NULL. */
static void *lend(int buffer, guard_side side, const void *bytes, size_t n, size_t alignment,
                  rng *r) {
    void *place = guard_place(&buffers[buffer], side, bytes != NULL ? n : 0, alignment, r);
    return bytes != NULL ? memcpy(place, bytes, n) : NULL;
}

/** Creates the plan from guarded arrays, then overwrites them: a plan keeps nothing of them. */
static nm_status create(const conv_case *c, nm_isa isa, guard_side side, rng *r, nm_conv **conv) {
    nm_conv_desc desc = c->desc;
    const size_t groups =
        desc.group_size != 0 ? (conv_reduction(&desc) + desc.group_size - 1) / desc.group_size : 0;
    const size_t scale_bytes = 4 * desc.scale_count;
    const size_t weight_bytes = dtype_bytes(weight_type(desc.precision), c->weight_count);
    desc.isa = isa;
    desc.scale = lend(SCALE, side, c->scale, scale_bytes, 4, r);
    desc.multiplier = lend(MULTIPLIER, side, c->multiplier, scale_bytes, 4, r);
    desc.shift = lend(SHIFT, side, c->shift, scale_bytes, 4, r);
    desc.group_scale =
        lend(GROUP_SCALE, side, c->group_scale, 4 * desc.out_channels * groups, 4, r);
    const size_t weight_alignment = desc.precision == NM_F32 ? 4 : 1;
    const void *weights = lend(WEIGHTS, side, c->weights, weight_bytes, weight_alignment, r);
    const void *bias = lend(BIAS, side, c->bias, 4 * desc.out_channels, 4, r);
    nm_error error = {""};
    const nm_status status = nm_conv_create(&desc, weights, bias, conv, &error);
    if (status != NM_OK)
        fail("nm_conv_create: %s", error.message);
    for (int i = WEIGHTS; i < OUTPUT; i++)
        rng_fill(r, buffers[i].data, buffers[i].size);
    return status;
}

static bool check_info(const conv_case *c, nm_isa isa, const nm_conv *conv) {
    const nm_conv_info info = nm_conv_get_info(conv);
    const uint64_t macs = (uint64_t)c->output_count * conv_reduction(&c->desc);
    if (info.isa != isa)
        return fail("info.isa is %s", nm_isa_name(info.isa));
    if (info.algorithm == NM_ALGORITHM_AUTO ||
        (c->desc.algorithm != NM_ALGORITHM_AUTO && info.algorithm != c->desc.algorithm))
        return fail("info.algorithm is %s", nm_algorithm_name(info.algorithm));
    if (info.out_height != c->out_height || info.out_width != c->out_width)
        return fail("info's output is %zux%zu", info.out_height, info.out_width);
    if (info.macs != macs)
        return fail("info.macs is %llu, not %llu", (unsigned long long)info.macs,
                    (unsigned long long)macs);
    if (info.kernel == NULL || info.kernel[0] == '\0' || info.weight_bytes == 0)
        return fail("info lacks a kernel name or weight bytes");
    return true;
}

/** Runs in guarded memory; the output stays in its buffer until the next run. */
static bool run(const conv_case *c, const nm_conv *conv, guard_side side, unsigned threads,
                rng *r) {
    const nm_conv_desc *d = &c->desc;
    const size_t output_alignment =
        d->output_type == NM_FLOAT32 || d->output_type == NM_INT32 ? 4 : 1;
    const size_t input_alignment = d->input_type == NM_FLOAT32 ? 4 : 1;
    const size_t input_bytes = dtype_bytes(d->input_type, c->input_count);
    const size_t output_bytes = dtype_bytes(d->output_type, c->output_count);
    const void *input = lend(INPUT, side, c->input, input_bytes, input_alignment, r);
    void *output = guard_place(&buffers[OUTPUT], side, output_bytes, output_alignment, r);
    void *workspace =
        guard_place(&buffers[WORKSPACE], side, nm_conv_workspace_size(conv, threads), 64, r);
    nm_conv_run(conv, input, output, workspace, threads);
    if (memcmp(input, c->input, input_bytes) != 0)
        return fail("the input was written to");
    for (int i = 0; i < BUFFERS; i++)
        if (!guard_intact(&buffers[i]))
            return fail("written outside of %s", buffer_names[i]);
    return true;
}

static void place_of(const conv_case *c, size_t i, char place[static 96]) {
    const size_t channel = i % c->desc.out_channels, pixel = i / c->desc.out_channels;
    snprintf(place, 96, "output[%zu][%zu][%zu][%zu]", pixel / c->out_width / c->out_height,
             pixel / c->out_width % c->out_height, pixel % c->out_width, channel);
}

static bool same_output(const conv_case *c, const void *expected) {
    const nm_dtype type = c->desc.output_type;
    const void *output = buffers[OUTPUT].data;
    if (memcmp(output, expected, buffers[OUTPUT].size) == 0)
        return true;
    size_t wrong = 0, first = 0;
    for (size_t i = c->output_count; i-- > 0;)
        /* Floats are compared by their bits, as int32. */
        if (get_int(type, output, i) != get_int(type, expected, i)) {
            first = i;
            wrong++;
        }
    char place[96];
    place_of(c, first, place);
    if (type == NM_FLOAT32)
        return fail("%zu of %zu differ; first %s is %a, not %a", wrong, c->output_count, place,
                    (double)((const float *)output)[first],
                    (double)((const float *)expected)[first]);
    return fail("%zu of %zu differ; first %s is %d, not %d", wrong, c->output_count, place,
                get_int(type, output, first), get_int(type, expected, first));
}

static bool close_output(const conv_case *c, const double *expected, const double *magnitude) {
    const float *output = (const float *)(const void *)buffers[OUTPUT].data;
    for (size_t i = 0; i < c->output_count; i++) {
        const double tolerance = naive_f32_tolerance(c, magnitude[i]);
        if (fabs(output[i] - expected[i]) <= tolerance)
            continue;
        char place[96];
        place_of(c, i, place);
        return fail("%s is %.9g, not %.9g +- %.3g", place, (double)output[i], expected[i],
                    tolerance);
    }
    return true;
}

typedef struct expectation {
    void *exact;                   /**< integer precisions: the reference's output */
    double *near, *near_magnitude; /**< f32 */
} expectation;

static bool check_output(const conv_case *c, const nm_conv *conv, const expectation *expected,
                         guard_side side, unsigned threads, rng *r) {
    if (!run(c, conv, side, threads, r))
        return false;
    if (expected->exact != NULL)
        return same_output(c, expected->exact);
    if (!close_output(c, expected->near, expected->near_magnitude))
        return false;
    const size_t bytes = buffers[OUTPUT].size;
    void *first = malloc(bytes);
    memcpy(first, buffers[OUTPUT].data, bytes);
    const bool repeated = run(c, conv, side, threads, r) && same_output(c, first);
    free(first);
    return repeated;
}

/** Whether the tier computes the case; a kernel that does not exist leaves *skipped set. */
static bool check_tier(const conv_case *c, nm_isa isa, const expectation *expected, uint64_t seed,
                       bool *skipped) {
    static const struct {
        unsigned threads;
        guard_side side;
        int processor;
    } runs[] = {{1, GUARD_END, NM_PROCESSOR_OTHER},
                {2, GUARD_START, NM_PROCESSOR_ZEN},
                {5, GUARD_END, NM_PROCESSOR_ZEN}};
    rng r = rng_named(seed, "surroundings");
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        nm_conv *conv = NULL;
        nm_plan_as(&nm_processors[runs[i].processor]);
        const nm_status status = create(c, isa, runs[i].side, &r, &conv);
        if (status == NM_UNSUPPORTED && c->desc.algorithm >= NM_ALGORITHM_WINOGRAD) {
            *skipped = true;
            return true;
        }
        if (status != NM_OK)
            return false;
        const bool right = check_info(c, isa, conv) &&
                           check_output(c, conv, expected, runs[i].side, runs[i].threads, &r);
        nm_conv_destroy(conv);
        if (!right) {
            const size_t length = strlen(failure);
            snprintf(failure + length, sizeof failure - length,
                     " (%u threads, buffers at the %s, planned for processor %d)", runs[i].threads,
                     runs[i].side == GUARD_END ? "end" : "start", runs[i].processor);
            return false;
        }
    }
    return true;
}

/** The scalar reference's direct convolution, in memory of its own. */
static void *reference(const conv_case *c) {
    nm_conv_desc desc = c->desc;
    desc.isa = NM_ISA_SCALAR;
    desc.algorithm = NM_ALGORITHM_DIRECT;
    nm_conv *conv;
    nm_error error = {""};
    if (nm_conv_create(&desc, c->weights, c->bias, &conv, &error) != NM_OK) {
        fail("reference: nm_conv_create: %s", error.message);
        return NULL;
    }
    void *output = malloc(dtype_bytes(desc.output_type, c->output_count));
    void *workspace = aligned_alloc(64, nm_conv_workspace_size(conv, 1) / 64 * 64 + 64);
    nm_conv_run(conv, c->input, output, workspace, 1);
    nm_conv_destroy(conv);
    free(workspace);
    return output;
}

static expectation expect(const conv_case *c) {
    if (c->desc.precision != NM_F32)
        return (expectation){.exact = reference(c)};
    expectation e = {.near = malloc(c->output_count * sizeof *e.near),
                     .near_magnitude = malloc(c->output_count * sizeof *e.near_magnitude)};
    naive_f32(c, e.near, e.near_magnitude);
    return e;
}

typedef struct tally {
    bool tested;
    size_t run, skipped, failed;
} tally;

static void check_case(const conv_kind *kind, const conv_spec *spec, uint64_t seed,
                       tally tallies[NM_ISA_COUNT]) {
    /* The reference may crash too. */
    tap_running("--filter %s --case %s --seed %llu --count 1", kind->name, spec->name,
                (unsigned long long)seed);
    conv_case c = conv_case_make(kind, spec, seed);
    failure[0] = '\0';
    const expectation expected = expect(&c);
    for (int isa = NM_ISA_SCALAR; isa < NM_ISA_COUNT; isa++) {
        tally *t = &tallies[isa];
        if (!t->tested)
            continue;
        char reproduce[256];
        snprintf(reproduce, sizeof reproduce, "--filter %s/%s --case %s --seed %llu --count 1",
                 kind->name, nm_isa_name((nm_isa)isa), spec->name, (unsigned long long)seed);
        tap_running("%s", reproduce);
        bool skipped = false;
        const bool known = expected.exact != NULL || expected.near != NULL;
        const bool right = known && check_tier(&c, (nm_isa)isa, &expected, seed, &skipped);
        t->run += !skipped;
        t->skipped += skipped;
        if (right)
            continue;
        if (t->failed++ < 5)
            tap_diag("%s\n#   test_conv %s\n#   batch %zu, %zux%zux%zu -> %zu, kernel %zux%zu, "
                     "stride %zu,%zu, dilation %zu,%zu, padding %zu,%zu,%zu,%zu, groups %zu",
                     failure, reproduce, spec->batch, spec->height, spec->width, spec->in_channels,
                     spec->out_channels, spec->kernel[0], spec->kernel[1], spec->stride[0],
                     spec->stride[1], spec->dilation[0], spec->dilation[1], spec->padding[0],
                     spec->padding[1], spec->padding[2], spec->padding[3], spec->groups);
    }
    free(expected.exact);
    free(expected.near);
    free(expected.near_magnitude);
    conv_case_free(&c);
}

static void check_directed(const conv_kind *kind, const options *o, tally tallies[NM_ISA_COUNT]) {
    size_t count;
    const conv_spec *specs = conv_specs(&count);
    const size_t step = o->case_name == NULL ? conv_spec_every() : 1;
    for (size_t i = 0; i < count; i += step) {
        const bool wanted = o->case_name == NULL || strcmp(o->case_name, specs[i].name) == 0;
        if (wanted && conv_spec_fits(&specs[i], kind))
            check_case(kind, &specs[i], o->seed, tallies);
    }
}

static void check_random(const conv_kind *kind, const options *o, tally tallies[NM_ISA_COUNT]) {
    if (o->case_name != NULL && strcmp(o->case_name, "random") != 0)
        return;
    for (uint64_t i = 0; i < o->count; i += conv_spec_every()) {
        const conv_spec spec = conv_spec_random(kind, o->seed + i);
        check_case(kind, &spec, o->seed + i, tallies);
    }
}

static void check_kind(const conv_kind *kind, const options *o) {
    tally tallies[NM_ISA_COUNT] = {0};
    bool any = false;
    for (int isa = NM_ISA_SCALAR; isa < NM_ISA_COUNT; isa++) {
        char name[128];
        snprintf(name, sizeof name, "%s/%s", kind->name, nm_isa_name((nm_isa)isa));
        if (strstr(name, o->filter) == NULL)
            continue;
        tallies[isa].tested = nm_isa_available((nm_isa)isa);
        any |= tallies[isa].tested;
        if (!tallies[isa].tested)
            tap_skip("not on this CPU or not in this build", "%s", name);
    }
    if (!any)
        return;
    check_directed(kind, o, tallies);
    check_random(kind, o, tallies);
    for (int isa = NM_ISA_SCALAR; isa < NM_ISA_COUNT; isa++) {
        const tally *t = &tallies[isa];
        const char *isa_name = nm_isa_name((nm_isa)isa);
        if (!t->tested)
            continue;
        if (t->run == 0 && t->skipped != 0)
            tap_skip("the tier has no such kernel", "%s/%s", kind->name, isa_name);
        else
            tap_ok(t->run != 0 && t->failed == 0, "%s/%s: %zu cases", kind->name, isa_name, t->run);
    }
}

static uint64_t parse_number(const char *text) {
    char *end;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-') {
        fprintf(stderr, "test_conv: %s: not a number\n", text);
        exit(2);
    }
    return value;
}

static options parse_options(int argc, char **argv) {
    options o = {.seed = 1, .count = 40, .filter = ""};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            o.seed = parse_number(argv[i + 1]);
        else if (strcmp(argv[i], "--count") == 0)
            o.count = parse_number(argv[i + 1]);
        else if (strcmp(argv[i], "--filter") == 0)
            o.filter = argv[i + 1];
        else if (strcmp(argv[i], "--case") == 0)
            o.case_name = argv[i + 1];
        else
            argc = 0;
    }
    if (argc % 2 == 0) {
        fputs("usage: test_conv [--seed N] [--count N] [--filter KIND/TIER] [--case NAME]\n"
              "  --seed    of the first case; random cases count on from it (default 1)\n"
              "  --count   random cases a kind (default 40)\n"
              "  --filter  part of KIND/TIER, e.g. w4a8, group32, winograd/avx2\n"
              "  --case    one directed case by name, or 'random' for the random ones only\n",
              stderr);
        exit(2);
    }
    return o;
}

int main(int argc, char **argv) {
    const options o = parse_options(argc, argv);
    tap_catch_crashes();
    tap_diag("seed %llu, %llu random cases a kind", (unsigned long long)o.seed,
             (unsigned long long)o.count);
    for (int i = 0; i < BUFFERS; i++)
        buffers[i] = guard_open(BUFFER_BYTES);
    size_t count;
    const conv_kind *kinds = conv_kinds(&count);
    for (size_t i = 0; i < count; i++)
        check_kind(&kinds[i], &o);
    for (int i = 0; i < BUFFERS; i++)
        guard_close(&buffers[i]);
    return tap_done();
}
