#include "base/cli.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/output.h"
#include "command.h"
#include "input/conv_config.h"
#include "input/npy.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char *config, *input, *weights, *bias, *output, *json;
    size_t isa, threads;
};

/** One convolution: what was read, what comes out. */
struct work {
    struct conv_config config;
    struct tensor input, weights, bias, output;
    nm_conv *conv;
    nm_conv_info info;
    void *workspace;
    size_t workspace_bytes;
};

static bool is_int4(nm_precision precision) { return precision == NM_W4A8 || precision == NM_W4A4; }

static bool check_rank(const char *path, const struct tensor *tensor, size_t rank,
                       const char *layout, struct error *error) {
    return tensor->rank == rank ||
           fail(error, "%s: shape %s has %zu dimensions; give %s", path,
                shape_text(tensor->rank, tensor->shape).text, tensor->rank, layout);
}

static bool check_type(const char *path, nm_dtype type, nm_precision precision, const char *wanted,
                       bool good, struct error *error) {
    return good || fail(error, "%s: dtype %s does not fit precision %s; give %s", path,
                        dtype_name(type), nm_precision_name(precision), wanted);
}

static bool check_types(const struct options *options, const struct work *work,
                        struct error *error) {
    const nm_precision precision = work->config.desc.precision;
    const nm_dtype input = work->input.type, weights = work->weights.type;
    if (precision == NM_F32)
        return check_type(options->input, input, precision, "float32", input == NM_FLOAT32,
                          error) &&
               check_type(options->weights, weights, precision, "float32", weights == NM_FLOAT32,
                          error);
    return check_type(options->input, input, precision, "int8 or uint8",
                      input == NM_INT8 || input == NM_UINT8, error) &&
           check_type(options->weights, weights, precision, "int8", weights == NM_INT8, error);
}

static bool check_bias(const struct options *options, const struct work *work,
                       struct error *error) {
    if (!options->bias)
        return true;
    const nm_conv_desc *desc = &work->config.desc;
    const bool real = desc->precision == NM_F32 || desc->group_size != 0;
    if (!check_rank(options->bias, &work->bias, 1, "(out_channels,)", error) ||
        !check_type(options->bias, work->bias.type, desc->precision, real ? "float32" : "int32",
                    work->bias.type == (real ? NM_FLOAT32 : NM_INT32), error))
        return false;
    return work->bias.count == desc->out_channels ||
           fail(error, "%s: %zu values, the weights have %zu output channels; give one for each",
                options->bias, work->bias.count, desc->out_channels);
}

/** Packs one nibble a byte two a byte, in place of the tensor's data. */
static bool pack_nibbles(const char *path, struct tensor *tensor, struct error *error) {
    const bool is_signed = tensor->type == NM_INT8;
    const int8_t *values = tensor->data;
    for (size_t i = 0; i < tensor->count; i++) {
        const int value = is_signed ? values[i] : (uint8_t)values[i];
        if (value < (is_signed ? -8 : 0) || value > (is_signed ? 7 : 15))
            return fail(error, "%s: value %d at flat index %zu is no int4; give %s", path, value, i,
                        is_signed ? "-8..7" : "0..15");
    }
    void *packed = aligned_bytes((tensor->count + 1) / 2);
    if (!packed)
        return fail_memory(error, path);
    nm_pack_int4(values, tensor->count, packed);
    free(tensor->data);
    tensor->data = packed;
    return true;
}

static nm_dtype output_type(const struct work *work) {
    const struct conv_config *config = &work->config;
    if (config->desc.precision == NM_F32)
        return NM_FLOAT32;
    if (config->requantize)
        return work->input.type;
    return config->desc.group_size ? NM_FLOAT32 : NM_INT32;
}

/** Takes shapes and types from the tensors into the description. */
static bool describe(const struct options *options, struct work *work, struct error *error) {
    nm_conv_desc *desc = &work->config.desc;
    const size_t *x = work->input.shape, *w = work->weights.shape;
    if (!check_rank(options->input, &work->input, 4, "(N, H, W, C)", error) ||
        !check_rank(options->weights, &work->weights, 4, "(O, H, W, I)", error) ||
        !check_types(options, work, error))
        return false;
    desc->batch = x[0];
    desc->in_height = x[1];
    desc->in_width = x[2];
    desc->in_channels = x[3];
    desc->out_channels = w[0];
    desc->kernel_height = w[1];
    desc->kernel_width = w[2];
    desc->isa = (nm_isa)options->isa;
    if (desc->groups * w[3] != x[3] || desc->groups > x[3])
        return fail(error,
                    "%s: shape %s takes %zu channels in each of %zu groups, the input %s has %zu; "
                    "give weights of in_channels / groups",
                    options->weights, shape_text(4, w).text, w[3], desc->groups, options->input,
                    x[3]);
    if (!check_bias(options, work, error))
        return false;
    const nm_dtype type = work->input.type;
    desc->input_type = desc->precision != NM_W4A4 ? type : type == NM_INT8 ? NM_INT4 : NM_UINT4;
    desc->output_type = output_type(work);
    return true;
}

static bool check_requantize(const struct options *options, struct work *work,
                             struct error *error) {
    static const float one = 1.0F;
    struct conv_config *config = &work->config;
    nm_conv_desc *desc = &config->desc;
    if (desc->precision == NM_F32 && config->requantize)
        return fail(error, "%s: requantize: precision f32 has no requantization; leave it out",
                    options->config);
    if (desc->scale_count > 1 && desc->scale_count != desc->out_channels)
        return fail(error,
                    "%s: requantize: %zu scales, the weights have %zu output channels; give 1 or "
                    "%zu",
                    options->config, desc->scale_count, desc->out_channels, desc->out_channels);
    if (desc->group_size == 0)
        return true;
    const size_t k = work->weights.count / desc->out_channels;
    const size_t columns = (k + 31) / 32;
    if (config->group_rows != desc->out_channels || config->group_columns != columns)
        return fail(error, "%s: group_scale: %zu x %zu scales; give %zu x %zu", options->config,
                    config->group_rows, config->group_columns, desc->out_channels, columns);
    if (!config->requantize) {
        desc->scale = &one;
        desc->scale_count = 1;
    }
    return true;
}

static bool read_inputs(const struct options *options, struct work *work, struct error *error) {
    if (!conv_config_read(options->config, &work->config, error) ||
        !npy_read(options->input, &work->input, error) ||
        !npy_read(options->weights, &work->weights, error) ||
        (options->bias && !npy_read(options->bias, &work->bias, error)) ||
        !describe(options, work, error) || !check_requantize(options, work, error))
        return false;
    const nm_precision precision = work->config.desc.precision;
    return (precision != NM_W4A4 || pack_nibbles(options->input, &work->input, error)) &&
           (!is_int4(precision) || pack_nibbles(options->weights, &work->weights, error));
}

static bool compute(const struct options *options, struct work *work, struct error *error) {
    const nm_conv_desc *desc = &work->config.desc;
    nm_error reason;
    if (nm_conv_create(desc, work->weights.data, work->bias.data, &work->conv, &reason) != NM_OK)
        return fail(error, "%s: %s", options->config, reason.message);
    work->info = nm_conv_get_info(work->conv);
    const size_t shape[] = {desc->batch, work->info.out_height, work->info.out_width,
                            desc->out_channels};
    if (!tensor_create(&work->output, options->output, desc->output_type, 4, shape, error))
        return false;
    work->workspace_bytes = nm_conv_workspace_size(work->conv, (unsigned)options->threads);
    work->workspace = aligned_bytes(work->workspace_bytes);
    if (!work->workspace)
        return fail_memory(error, "workspace");
    nm_conv_run(work->conv, work->input.data, work->output.data, work->workspace,
                (unsigned)options->threads);
    return true;
}

static bool write_array(const char *path, const struct tensor *tensor, struct error *error) {
    struct output output;
    if (!output_open(&output, path, error))
        return false;
    npy_write(&output, tensor);
    return output_commit(&output, error);
}

static json_t *describe_json(const struct options *options, const struct work *work) {
    json_t *shape = json_array();
    for (size_t i = 0; i < work->output.rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)work->output.shape[i]));
    json_t *document = json_pack(
        "{s:o, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:{s:s, s:s, s:o}}", "context",
        context_create(), "kernel", work->info.kernel, "isa", nm_isa_name(work->info.isa),
        "algorithm", nm_algorithm_name(work->info.algorithm), "precision",
        nm_precision_name(work->config.desc.precision), "threads", (json_int_t)options->threads,
        "macs", (json_int_t)work->info.macs, "weight_bytes", (json_int_t)work->info.weight_bytes,
        "workspace_bytes", (json_int_t)work->workspace_bytes, "output", "file", options->output,
        "dtype", dtype_name(work->output.type), "shape", shape);
    if (!document)
        out_of_memory();
    return document;
}

static bool say(const struct options *options, const struct work *work, struct error *error) {
    if (options->json) {
        json_t *document = describe_json(options, work);
        const bool good = output_json(options->json, document, error);
        json_decref(document);
        return good;
    }
    if (strcmp(options->output, "-") != 0)
        printf("%s (%s, %s): %s %s -> %s\n", work->info.kernel, nm_isa_name(work->info.isa),
               nm_algorithm_name(work->info.algorithm), dtype_name(work->output.type),
               shape_text(work->output.rank, work->output.shape).text, options->output);
    return true;
}

int cmd_conv(int argc, const char **argv) {
    struct options options = {.threads = cpu_count()};
    const struct cli cli = {
        .command = "conv",
        .options =
            (struct cli_option[]){
                {"config", CLI_STRING, &options.config, "C.json", "What to compute; see below",
                 .required = true},
                {"input", CLI_STRING, &options.input, "X.npy", "Activations, NHWC",
                 .required = true},
                {"weights", CLI_STRING, &options.weights, "W.npy", "Weights, OHWI",
                 .required = true},
                {"bias", CLI_STRING, &options.bias, "B.npy", "Bias, one for each output channel"},
                {"output", CLI_STRING, &options.output, "Y.npy", "Receives the result, NHWC",
                 .required = true},
                {"isa", CLI_CHOICE, &options.isa, "ISA", "Instruction-set tier, default auto",
                 .choices = isa_names()},
                {"threads", CLI_SIZE, &options.threads, "N", "Most threads to use, default all",
                 .min = 1, .max = 1024},
                {"json", CLI_STRING, &options.json, "FILE",
                 "Write which kernel ran as JSON; '-' is standard output"},
                {0}},
        .notes = conv_config_help,
    };
    int status;
    if (!cli_parse(&cli, argc, argv, NULL, &status))
        return status;
    struct error error;
    struct work work = {0};
    bool good = true;
    if (options.json && strcmp(options.json, "-") == 0 && strcmp(options.output, "-") == 0)
        good = fail(&error, "--json and --output: both are standard output; give one a file");
    good = good && read_inputs(&options, &work, &error) && compute(&options, &work, &error) &&
           write_array(options.output, &work.output, &error) && say(&options, &work, &error);
    free(work.workspace);
    nm_conv_destroy(work.conv);
    tensor_destroy(&work.output);
    tensor_destroy(&work.bias);
    tensor_destroy(&work.weights);
    tensor_destroy(&work.input);
    conv_config_destroy(&work.config);
    return good ? EXIT_DONE : report(&error);
}
