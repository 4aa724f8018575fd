/** Strict reading of JSON files: unknown and repeated keys, wrong types and ranges are errors. */
#ifndef BENCH_JSON_INPUT_H
#define BENCH_JSON_INPUT_H

#include "base/error.h"
#include "base/names.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/**
 * An object being read. Every getter leaves *value as it was where the key is absent, and names
 * the place in its error, e.g. "net.json: layers[2].stride[0]".
 */
struct json_place {
    const json_t *object;
    const char *path; /**< "net.json: layers[2]." or "net.json: ": what precedes a key in errors */
};

/** Parses an object. New reference in *root. @param name names the bytes in errors. */
bool json_parse(const char *name, const unsigned char *bytes, size_t size, json_t **root,
                struct error *error);

/** Fails for the first key that is not in valid. */
bool json_check_keys(struct json_place place, names valid, struct error *error);

bool json_get_bool(struct json_place place, const char *key, bool *value, struct error *error);
bool json_get_integer(struct json_place place, const char *key, int64_t min, int64_t max,
                      int64_t *value, struct error *error);
bool json_get_size(struct json_place place, const char *key, size_t min, size_t max, size_t *value,
                   struct error *error);
bool json_get_number(struct json_place place, const char *key, double min, double max,
                     double *value, struct error *error);
/** The string belongs to the object. */
bool json_get_string(struct json_place place, const char *key, const char **value,
                     struct error *error);
bool json_get_choice(struct json_place place, const char *key, names choices, size_t *value,
                     struct error *error);

/** Exactly count sizes within min..max. */
bool json_get_sizes(struct json_place place, const char *key, size_t count, size_t min, size_t max,
                    size_t *values, struct error *error);

/** A list of 1 or more; the caller frees *values. *count stays as it was where absent. */
bool json_get_int32s(struct json_place place, const char *key, int32_t min, int32_t max,
                     int32_t **values, size_t *count, struct error *error);
/** Finite also as float. */
bool json_get_floats(struct json_place place, const char *key, float **values, size_t *count,
                     struct error *error);

#endif
