#include "base/json_input.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool json_parse(const char *name, const unsigned char *bytes, size_t size, json_t **root,
                struct error *error) {
    json_error_t json_error;
    *root = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, &json_error);
    if (!*root)
        return fail(error, "%s: line %d: %s; give well-formed JSON with finite numbers", name,
                    json_error.line, json_error.text);
    if (json_is_object(*root))
        return true;
    json_decref(*root);
    *root = NULL;
    return fail(error, "%s: not a JSON object; give {...}", name);
}

bool json_check_keys(struct json_place place, names valid, struct error *error) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)place.object, key, value) {
        if (names_find(valid, key) >= 0)
            continue;
        struct error unknown;
        names_fail(valid, "key", key, &unknown);
        return fail(error, "%s%s", place.path, unknown.message);
    }
    return true;
}

static bool wrong(struct json_place place, const char *key, const char *wanted,
                  struct error *error) {
    return fail(error, "%s%s: not %s; give one", place.path, key, wanted);
}

bool json_get_bool(struct json_place place, const char *key, bool *value, struct error *error) {
    const json_t *found = json_object_get(place.object, key);
    if (!found)
        return true;
    if (!json_is_boolean(found))
        return wrong(place, key, "true or false", error);
    *value = json_is_true(found);
    return true;
}

/** @param key the value's name in errors, with its index where it is of a list. */
static bool as_integer(struct json_place place, const char *key, const json_t *found, int64_t min,
                       int64_t max, int64_t *value, struct error *error) {
    if (!json_is_integer(found))
        return wrong(place, key, "a whole number", error);
    *value = json_integer_value(found);
    if (*value < min || *value > max)
        return fail(error, "%s%s: %lld is out of range; give %lld..%lld", place.path, key,
                    (long long)*value, (long long)min, (long long)max);
    return true;
}

bool json_get_integer(struct json_place place, const char *key, int64_t min, int64_t max,
                      int64_t *value, struct error *error) {
    const json_t *found = json_object_get(place.object, key);
    return !found || as_integer(place, key, found, min, max, value, error);
}

bool json_get_size(struct json_place place, const char *key, size_t min, size_t max, size_t *value,
                   struct error *error) {
    int64_t integer = (int64_t)*value;
    if (!json_get_integer(place, key, (int64_t)min, (int64_t)max, &integer, error))
        return false;
    *value = (size_t)integer;
    return true;
}

bool json_get_number(struct json_place place, const char *key, double min, double max,
                     double *value, struct error *error) {
    const json_t *found = json_object_get(place.object, key);
    if (!found)
        return true;
    if (!json_is_number(found))
        return wrong(place, key, "a number", error);
    *value = json_number_value(found);
    if (!(*value >= min && *value <= max))
        return fail(error, "%s%s: %g is out of range; give %g..%g", place.path, key, *value, min,
                    max);
    return true;
}

bool json_get_string(struct json_place place, const char *key, const char **value,
                     struct error *error) {
    const json_t *found = json_object_get(place.object, key);
    if (!found)
        return true;
    if (!json_is_string(found))
        return wrong(place, key, "a string", error);
    *value = json_string_value(found);
    return true;
}

bool json_get_choice(struct json_place place, const char *key, names choices, size_t *value,
                     struct error *error) {
    const char *name = NULL;
    if (!json_get_string(place, key, &name, error))
        return false;
    struct error unknown;
    if (!name || names_lookup(choices, key, name, value, &unknown))
        return true;
    return fail(error, "%s%s", place.path, unknown.message);
}

static bool list_size(struct json_place place, const char *key, const json_t *found, size_t *count,
                      struct error *error) {
    *count = json_array_size(found);
    return *count > 0 || wrong(place, key, "a list of numbers", error);
}

bool json_get_sizes(struct json_place place, const char *key, size_t count, size_t min, size_t max,
                    size_t *values, struct error *error) {
    const json_t *found = json_object_get(place.object, key);
    if (!found)
        return true;
    if (json_array_size(found) != count)
        return fail(error, "%s%s: not a list of %zu; give one", place.path, key, count);
    for (size_t i = 0; i < count; i++) {
        char item[64];
        int64_t value;
        snprintf(item, sizeof item, "%s[%zu]", key, i);
        if (!as_integer(place, item, json_array_get(found, i), (int64_t)min, (int64_t)max, &value,
                        error))
            return false;
        values[i] = (size_t)value;
    }
    return true;
}

bool json_get_int32s(struct json_place place, const char *key, int32_t min, int32_t max,
                     int32_t **values, size_t *count, struct error *error) {
    const json_t *found = json_object_get(place.object, key);
    if (!found)
        return true;
    if (!list_size(place, key, found, count, error))
        return false;
    *values = calloc(*count, sizeof **values);
    if (!*values)
        return fail_memory(error, key);
    for (size_t i = 0; i < *count; i++) {
        char item[64];
        int64_t value;
        snprintf(item, sizeof item, "%s[%zu]", key, i);
        if (!as_integer(place, item, json_array_get(found, i), min, max, &value, error))
            return false;
        (*values)[i] = (int32_t)value;
    }
    return true;
}

bool json_get_floats(struct json_place place, const char *key, float **values, size_t *count,
                     struct error *error) {
    const json_t *found = json_object_get(place.object, key);
    if (!found)
        return true;
    if (!list_size(place, key, found, count, error))
        return false;
    *values = calloc(*count, sizeof **values);
    if (!*values)
        return fail_memory(error, key);
    for (size_t i = 0; i < *count; i++) {
        const json_t *item = json_array_get(found, i);
        (*values)[i] = (float)json_number_value(item);
        if (!json_is_number(item) || !isfinite((*values)[i]))
            return fail(error, "%s%s[%zu]: not a number that is finite as float32; give one",
                        place.path, key, i);
    }
    return true;
}
