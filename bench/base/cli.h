/** Command lines as tables: each option a typed, range-checked row. */
#ifndef BENCH_CLI_H
#define BENCH_CLI_H

#include "base/error.h"
#include "base/names.h"

#include <stddef.h>

enum { CLI_LIST_MAX = 32 };

enum cli_kind {
    CLI_FLAG,   /**< bool */
    CLI_STRING, /**< const char *; lives until the program ends */
    CLI_SIZE,   /**< size_t within min..max */
    CLI_NUMBER, /**< double, finite, within min..max */
    CLI_CHOICE, /**< size_t: index into choices */
    CLI_SIZES,  /**< struct cli_list: comma list of sizes within min..max, no repeats kept */
    CLI_CHOICES /**< struct cli_list: comma list of indices into choices, no repeats kept */
};

struct cli_list {
    size_t count;
    size_t value[CLI_LIST_MAX];
};

/** A row of a command's options; end the table with {0}. Absent options leave *value as it was. */
struct cli_option {
    const char *name; /**< without dashes */
    enum cli_kind kind;
    void *value;
    const char *argument; /**< placeholder in --help; NULL for a flag */
    const char *help;
    double min, max;
    names choices;
    bool required;
};

struct cli {
    const char *command;   /**< name of the sub-command */
    const char *arguments; /**< positional arguments for --help, e.g. "DB FILE.json.."; or NULL */
    size_t min_arguments, max_arguments;
    const struct cli_option *options;
    const char *notes; /**< printed after the options by --help; or NULL */
};

/**
 * Parses a sub-command's line. Adds --help.
 *
 * @param arguments receives the positional arguments, NULL-terminated, valid until the program
 *                  ends; may be NULL where none are allowed.
 * @param status    exit status when the result is false (help printed: 0; error reported: 2).
 * @return whether the command shall run.
 */
bool cli_parse(const struct cli *cli, int argc, const char **argv, const char ***arguments,
               int *status);

/** Strict decimal numbers: the whole text, no sign but '-', within min..max.
 *  @param what names the number in the error, e.g. "--threads". */
bool parse_size(const char *what, const char *text, size_t min, size_t max, size_t *value,
                struct error *error);
bool parse_number(const char *what, const char *text, double min, double max, double *value,
                  struct error *error);

#endif
