/** The config file of `narrowmac conv`. */
#ifndef BENCH_CONV_CONFIG_H
#define BENCH_CONV_CONFIG_H

#include "base/error.h"

#include <narrowmac.h>

struct conv_config {
    nm_conv_desc desc; /**< all but shapes and types; its pointers are those below */
    bool requantize;
    int32_t *multiplier, *shift;
    float *scale;
    float *group_scale; /**< [group_rows][group_columns] */
    size_t group_rows, group_columns;
};

/** @param name names the file in errors. */
bool conv_config_parse(const char *name, const unsigned char *bytes, size_t size,
                       struct conv_config *config, struct error *error);
bool conv_config_read(const char *path, struct conv_config *config, struct error *error);
void conv_config_destroy(struct conv_config *config);

/** The keys, for --help. */
extern const char conv_config_help[];

#endif
