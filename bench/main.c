#include "base/error.h"
#include "base/names.h"
#include "base/output.h"
#include "command.h"
#include "throughput/pin.h"

#include <narrowmac.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, const char **argv);
    const char *summary;
    bool measures; /**< whether threads are pinned before it runs */
} commands[] = {
    {"cpuinfo", cmd_cpuinfo, "CPU, instruction-set tiers, threads, measured ceilings", true},
    {"accuracy", cmd_accuracy, "error of each precision against TensorFlow, and top-1", true},
    {"bench", cmd_bench, "throughput of convolution layers", true},
    {"conv", cmd_conv, "one convolution on your own tensors"},
    {"record", cmd_record, "store results in a history"},
    {"history", cmd_history, "each benchmark over commits"},
    {"compare", cmd_compare, "what changed between two builds, and how sure that is"},
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void print_help(void) {
    printf("Usage: narrowmac COMMAND [OPTION..]\n\n"
           "Convolutions in float32, int8 and packed int4: accuracy and throughput.\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    printf("\n'narrowmac COMMAND --help' explains each; 'narrowmac --version' prints the version.\n"
           "Exit status: 0 done; 1 the answer is no; 2 bad usage or bad input.\n");
}

int main(int argc, const char **argv) {
    output_guard();
    struct error error;
    if (argc < 2) {
        error_set(&error, "command: missing; see 'narrowmac --help'");
        return report(&error);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return output_end();
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("narrowmac %s\n", nm_version());
        return output_end();
    }
    const char *list[COMMAND_COUNT + 1] = {NULL};
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        list[i] = commands[i].name;
    size_t found;
    if (!names_lookup(list, "command", argv[1], &found, &error))
        return report(&error);
    if (commands[found].measures)
        pin_threads(argv);
    const int status = commands[found].run(argc - 1, argv + 1);
    const int ended = output_end();
    return status ? status : ended;
}
