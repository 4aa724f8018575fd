#include "accuracy/accuracy.h"
#include "base/context.h"
#include "base/file.h"
#include "base/output.h"
#include "command.h"
#include "history/history.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** Every index of choices. */
static struct cli_list every(names choices) {
    struct cli_list list = {0};
    while (choices[list.count]) {
        list.value[list.count] = list.count;
        list.count++;
    }
    return list;
}

/** Where manifests and goldens are: installed with the program, or in the source tree. */
static bool default_directory(char *path, struct error *error) {
    struct error ignored;
    if (data_find("goldens/seed.json", path, &ignored)) {
        *strrchr(path, '/') = '\0';
        return true;
    }
    snprintf(path, DATA_PATH_MAX, SOURCE_DIRECTORY "/../tests/goldens");
    return access(path, R_OK) == 0 ||
           fail(error, "goldens: not in %s and not installed; give --data DIR", path);
}

/** A layer that one of the networks has, or the error that lists them all. */
static bool check_layer(const char *name, const struct network *networks, size_t count,
                        struct error *error) {
    const char *known[CLI_LIST_MAX + 1] = {NULL};
    size_t found = 0;
    for (size_t n = 0; n < count; n++) {
        for (size_t i = 0; i < networks[n].layer_count; i++) {
            const struct layer *layer = &networks[n].layers[i];
            if (layer->op != LAYER_CONV || names_find(known, layer->name) >= 0)
                continue;
            if (strcmp(layer->name, name) == 0)
                return true;
            if (found < CLI_LIST_MAX)
                known[found++] = layer->name;
        }
    }
    return names_fail(known, "layer", name, error);
}

/** What is read and measured. */
struct accuracy {
    struct accuracy_options options;
    struct network networks[CLI_LIST_MAX];
    size_t network_count;
    struct layer_rows layers;
    struct network_rows classified;
};

static void accuracy_destroy(struct accuracy *accuracy) {
    for (size_t i = 0; i < accuracy->network_count; i++)
        network_destroy(&accuracy->networks[i]);
    free(accuracy->layers.row);
    free(accuracy->classified.row);
    free(accuracy->classified.source);
}

static bool read_networks(struct accuracy *accuracy, struct error *error) {
    const struct accuracy_options *options = &accuracy->options;
    for (size_t i = 0; i < options->networks.count; i++) {
        const char *name = network_names()[options->networks.value[i]];
        if (!network_read(options->directory, name, &accuracy->networks[i], error))
            return false;
        accuracy->network_count++;
    }
    return !options->layer ||
           check_layer(options->layer, accuracy->networks, accuracy->network_count, error);
}

/** The layers' table comes first: it is ready long before the classification is. */
static bool measure(struct accuracy *accuracy, bool print, struct error *error) {
    for (size_t i = 0; i < accuracy->network_count; i++) {
        if (!layer_rows_add(&accuracy->layers, &accuracy->networks[i], &accuracy->options, error))
            return false;
    }
    if (print && !print_layer_rows(&accuracy->layers, error))
        return false;
    fflush(stdout);
    for (size_t i = 0; i < accuracy->network_count && !accuracy->options.layer; i++) {
        if (!network_rows_add(&accuracy->classified, &accuracy->networks[i], &accuracy->options,
                              error))
            return false;
    }
    if (print)
        print_network_rows(&accuracy->classified);
    return true;
}

static bool save(const struct accuracy *accuracy, const char *json, const char *database,
                 struct error *error) {
    json_t *document = json_object();
    json_object_set_new(document, "context", context_create());
    json_object_set_new(document, "layers", layer_rows_json(&accuracy->layers));
    json_object_set_new(document, "networks", network_rows_json(&accuracy->classified));
    const bool good =
        (!json || output_json(json, document, error)) &&
        (!database || history_record(database, document, "narrowmac accuracy", error));
    json_decref(document);
    return good;
}

int cmd_accuracy(int argc, const char **argv) {
    char directory[DATA_PATH_MAX];
    const char *json = NULL, *database = NULL;
    size_t isa = NM_ISA_AUTO, threads = cpu_count();
    struct accuracy accuracy = {.options = {.images = SIZE_MAX,
                                            .precisions = every(precision_names()),
                                            .schemes = every(scheme_names()),
                                            .networks = every(network_names())}};
    struct accuracy_options *options = &accuracy.options;
    const struct cli_option rows[] = {
        {"layer", CLI_STRING, &options->layer, "L", "only this layer's errors, no classification"},
        {"precision", CLI_CHOICES, &options->precisions, "P,..", "f32, w8a8, w4a8, w4a4",
         .choices = precision_names()},
        {"scheme", CLI_CHOICES, &options->schemes, "S,..",
         "seed, per-channel, group32, mse, group32+mse", .choices = scheme_names()},
        {"isolated", CLI_FLAG, &options->isolated, NULL,
         "feed each layer TensorFlow's output of the one before, not our own"},
        {"network", CLI_CHOICES, &options->networks, "N,..", "seed, fashion",
         .choices = network_names()},
        {"images", CLI_SIZE, &options->images, "N", "classify at most so many test images",
         .min = 1},
        {"data", CLI_STRING, &options->directory, "DIR", "manifests and goldens"},
        {"isa", CLI_CHOICE, &isa, "I", "instruction-set tier (default: the best)",
         .choices = isa_names()},
        {"threads", CLI_SIZE, &threads, "N", "threads (default: all)", .min = 1, .max = 1024},
        {"json", CLI_STRING, &json, "FILE", "write the results as JSON; - for stdout, no tables"},
        {"record", CLI_STRING, &database, "DB", "add the results to a history"},
        {0},
    };
    const struct cli cli = {
        .command = "accuracy",
        .options = rows,
        .notes =
            "Networks, weights, inputs and TensorFlow's outputs ship with the program. Precisions\n"
            "are weights/activations; schemes give their scales:\n"
            "  seed         per tensor, affine, smallest to largest value, as in the course "
            "report\n"
            "  per-channel  weights symmetric per output channel; activations as above\n"
            "  group32      int4 weights symmetric per 32 along the reduction; activations as "
            "above\n"
            "  mse          per-channel, every range cut for the least squared error, and weights\n"
            "               rounded so that errors cancel within kernels (SQuant)\n"
            "  group32+mse  group32, likewise\n"
            "Test images: t10k-*-ubyte.gz of --data DIR, else Debian's dataset-fashion-mnist, "
            "else\n"
            "a shipped subset. The output says which.\n",
    };
    int status;
    if (!cli_parse(&cli, argc, argv, NULL, &status))
        return status;
    options->isa = (nm_isa)isa;
    options->threads = (unsigned)threads;
    struct error error;
    bool good = options->directory || default_directory(directory, &error);
    if (good && !options->directory)
        options->directory = directory;
    const bool print = !json || strcmp(json, "-") != 0;
    good = good && read_networks(&accuracy, &error) && measure(&accuracy, print, &error) &&
           ((!json && !database) || save(&accuracy, json, database, &error));
    accuracy_destroy(&accuracy);
    return good ? EXIT_DONE : report(&error);
}
