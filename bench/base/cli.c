#include "base/cli.h"

#include <errno.h>
#include <math.h>
#include <popt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 32 };

bool parse_size(const char *what, const char *text, size_t min, size_t max, size_t *value,
                struct error *error) {
    char *end;
    errno = 0;
    // strtoull takes blanks and signs, and wraps negatives: only digits may start a size.
    const unsigned long long parsed = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || parsed < min || parsed > max) {
        if (max == SIZE_MAX)
            return fail(error, "%s '%.64s': not a whole number of at least %zu; give one", what,
                        text, min);
        return fail(error, "%s '%.64s': not a whole number in %zu..%zu; give one in that range",
                    what, text, min, max);
    }
    *value = parsed;
    return true;
}

bool parse_number(const char *what, const char *text, double min, double max, double *value,
                  struct error *error) {
    char *end;
    errno = 0;
    const double parsed = strtod(text, &end);
    if (!strchr("-.0123456789", text[0]) || *end || end == text || errno || !isfinite(parsed) ||
        parsed < min || parsed > max)
        return fail(error, "%s '%.64s': not a number in %g..%g; give one in that range", what, text,
                    min, max);
    *value = parsed;
    return true;
}

static size_t size_limit(double max) { return max > 0 ? (size_t)max : SIZE_MAX; }

static bool list_add(struct cli_list *list, size_t value, const char *what, struct error *error) {
    for (size_t i = 0; i < list->count; i++) {
        if (list->value[i] == value)
            return true;
    }
    if (list->count == CLI_LIST_MAX)
        return fail(error, "%s: more than %d entries; give fewer", what, CLI_LIST_MAX);
    list->value[list->count++] = value;
    return true;
}

static bool parse_list(const struct cli_option *option, const char *what, char *text,
                       struct error *error) {
    struct cli_list list = {0};
    for (char *next = text; next;) {
        const char *item = strsep(&next, ",");
        size_t value;
        const bool good = option->kind == CLI_SIZES
                              ? parse_size(what, item, (size_t)option->min, size_limit(option->max),
                                           &value, error)
                              : names_lookup(option->choices, what, item, &value, error);
        if (!good || !list_add(&list, value, what, error))
            return false;
    }
    *(struct cli_list *)option->value = list;
    return true;
}

static bool parse_option(const struct cli_option *option, char *text, struct error *error) {
    char what[64];
    snprintf(what, sizeof what, "--%s", option->name);
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)option->value = true;
        return true;
    case CLI_STRING:
        *(const char **)option->value = text;
        return *text || fail(error, "%s: empty; give a value", what);
    case CLI_SIZE:
        return parse_size(what, text, (size_t)option->min, size_limit(option->max), option->value,
                          error);
    case CLI_NUMBER:
        return parse_number(what, text, option->min, option->max, option->value, error);
    case CLI_CHOICE:
        return names_lookup(option->choices, what, text, option->value, error);
    case CLI_SIZES:
    case CLI_CHOICES:
        return parse_list(option, what, text, error);
    }
    return false;
}

/** The context and its strings, which CLI_STRING and the arguments point into, are never freed. */
static poptContext context;
static char *texts[256];

static bool parse_all(const struct cli *cli, bool *help, struct error *error) {
    bool seen[MAX_OPTIONS] = {0};
    size_t count = 0;
    int index;
    while ((index = poptGetNextOpt(context)) > 0) {
        if (index == MAX_OPTIONS) {
            *help = true;
            return true;
        }
        const struct cli_option *option = &cli->options[index - 1];
        char *text = option->kind == CLI_FLAG ? NULL : poptGetOptArg(context);
        if (count == sizeof texts / sizeof *texts)
            return fail(error, "%s: too many options; give each once", cli->command);
        texts[count++] = text;
        if (!parse_option(option, text, error))
            return false;
        seen[index - 1] = true;
    }
    if (index < -1) {
        const char *bad = poptBadOption(context, POPT_BADOPTION_NOALIAS);
        if (index == POPT_ERROR_BADOPT) {
            const char *known[MAX_OPTIONS + 1] = {0};
            size_t n = 0;
            char dashed[MAX_OPTIONS][40];
            for (; cli->options[n].name; n++) {
                snprintf(dashed[n], sizeof dashed[n], "--%s", cli->options[n].name);
                known[n] = dashed[n];
            }
            known[n] = "--help";
            return names_fail(known, "option", bad, error);
        }
        return fail(error, "%s: %s; see 'narrowmac %s --help'", bad, poptStrerror(index),
                    cli->command);
    }
    for (size_t i = 0; cli->options[i].name; i++) {
        if (cli->options[i].required && !seen[i])
            return fail(error, "--%s: missing; give --%s %s", cli->options[i].name,
                        cli->options[i].name, cli->options[i].argument);
    }
    return true;
}

static bool check_arguments(const struct cli *cli, const char **found, struct error *error) {
    size_t count = 0;
    while (found && found[count])
        count++;
    if (count < cli->min_arguments)
        return fail(error, "%s: argument missing; give %s", cli->command, cli->arguments);
    if (count > cli->max_arguments)
        return fail(error, "'%s': unexpected argument; see 'narrowmac %s --help'",
                    found[cli->max_arguments], cli->command);
    return true;
}

bool cli_parse(const struct cli *cli, int argc, const char **argv, const char ***arguments,
               int *status) {
    static const char *none[] = {NULL};
    static struct poptOption rows[MAX_OPTIONS + 1];
    static char usage[128];
    size_t n = 0;
    for (; cli->options[n].name; n++) {
        const struct cli_option *option = &cli->options[n];
        rows[n] = (struct poptOption){
            .longName = option->name,
            .argInfo = option->kind == CLI_FLAG ? POPT_ARG_NONE : POPT_ARG_STRING,
            .val = (int)n + 1,
            .descrip = option->help,
            .argDescrip = option->argument,
        };
    }
    rows[n] = (struct poptOption){
        .longName = "help", .shortName = 'h', .val = MAX_OPTIONS, .descrip = "Show this text"};
    rows[n + 1] = (struct poptOption)POPT_TABLEEND;

    argv[0] = "narrowmac"; // for the usage line
    context = poptGetContext("narrowmac", argc, argv, rows, 0);
    snprintf(usage, sizeof usage, "%s [OPTION..] %s", cli->command,
             cli->arguments ? cli->arguments : "");
    poptSetOtherOptionHelp(context, usage);
    struct error error;
    bool help = false;
    if (!parse_all(cli, &help, &error)) {
        *status = report(&error);
        return false;
    }
    if (help) {
        poptPrintHelp(context, stdout, 0);
        if (cli->notes)
            printf("\n%s", cli->notes);
        *status = EXIT_DONE;
        return false;
    }
    const char **found = poptGetArgs(context);
    if (!check_arguments(cli, found, &error)) {
        *status = report(&error);
        return false;
    }
    if (arguments)
        *arguments = found ? found : none;
    return true;
}
