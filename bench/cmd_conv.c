#include "cli.h"
#include "command.h"

int cmd_conv(int argc, const char **argv) {
    const struct cli cli = {.command = "conv", .options = (struct cli_option[]){{0}}};
    int status;
    if (!cli_parse(&cli, argc, argv, NULL, &status))
        return status;
    return EXIT_DONE;
}
