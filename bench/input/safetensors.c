#include "input/safetensors.h"
#include "base/file.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    nm_dtype type;
} types[] = {{"F32", NM_FLOAT32}, {"I32", NM_INT32}, {"I8", NM_INT8}, {"U8", NM_UINT8}};

/** The bytes of all tensors. */
struct payload {
    const unsigned char *data;
    size_t size;
    size_t claimed; /**< by the tensors read so far */
};

static bool read_dtype(const json_t *entry, const char *what, nm_dtype *type, struct error *error) {
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    for (size_t i = 0; name && i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].name, name) == 0) {
            *type = types[i].type;
            return true;
        }
    }
    return fail(error, "%s: dtype %.16s is not supported; save F32, I32, I8 or U8", what,
                name ? name : "(missing)");
}

/** A JSON array of sizes. */
static bool read_sizes(const json_t *array, size_t max, size_t *sizes, size_t *count) {
    if (!json_is_array(array) || json_array_size(array) > max)
        return false;
    *count = json_array_size(array);
    for (size_t i = 0; i < *count; i++) {
        const json_t *item = json_array_get(array, i);
        if (!json_is_integer(item) || json_integer_value(item) < 0)
            return false;
        sizes[i] = (size_t)json_integer_value(item);
    }
    return true;
}

static bool read_tensor(const json_t *entry, const char *what, struct payload *payload,
                        struct tensor *tensor, struct error *error) {
    nm_dtype type;
    size_t shape[TENSOR_MAX_RANK], rank, offsets[2], offset_count;
    if (!json_is_object(entry) || json_object_size(entry) != 3)
        return fail(error, "%s: malformed entry; it must hold dtype, shape and data_offsets", what);
    if (!read_dtype(entry, what, &type, error))
        return false;
    if (!read_sizes(json_object_get(entry, "shape"), TENSOR_MAX_RANK, shape, &rank))
        return fail(error, "%s: malformed shape; give at most %d non-negative sizes", what,
                    TENSOR_MAX_RANK);
    if (!read_sizes(json_object_get(entry, "data_offsets"), 2, offsets, &offset_count) ||
        offset_count != 2 || offsets[0] > offsets[1] || offsets[1] > payload->size)
        return fail(error, "%s: data_offsets are not within the %zu bytes of data; save it again",
                    what, payload->size);
    size_t needed;
    if (!tensor_bytes(what, type, rank, shape, &needed, error))
        return false;
    if (needed != offsets[1] - offsets[0])
        return fail(error, "%s: %zu bytes of data, %zu needed for shape %s; save it again", what,
                    offsets[1] - offsets[0], needed, shape_text(rank, shape).text);
    // Before memory is asked for: many tensors could claim the same bytes.
    payload->claimed += offsets[1] - offsets[0];
    if (payload->claimed > payload->size)
        return fail(error, "%s: data_offsets overlap those of other tensors; save it again", what);
    if (!tensor_create(tensor, what, type, rank, shape, error))
        return false;
    memcpy(tensor->data, payload->data + offsets[0], needed);
    return true;
}

static int by_start(const void *a, const void *b) {
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/** The tensors must cover the data exactly: sorted by start, each begins where the last ended. */
static bool check_cover(const json_t *header, const char *path, size_t size, struct error *error) {
    const size_t count = json_object_size(header);
    size_t(*ranges)[2] = calloc(count + 1, sizeof *ranges);
    if (!ranges)
        return fail_memory(error, path);
    size_t used = 0;
    const char *key;
    json_t *entry;
    json_object_foreach((json_t *)header, key, entry) {
        size_t offset_count;
        if (strcmp(key, "__metadata__") != 0)
            read_sizes(json_object_get(entry, "data_offsets"), 2, ranges[used++], &offset_count);
    }
    qsort(ranges, used, sizeof *ranges, by_start);
    size_t end = 0;
    bool good = true;
    for (size_t i = 0; good && i < used; end = ranges[i++][1]) {
        if (ranges[i][0] != end)
            good = fail(error, "%s: data_offsets %s at byte %zu; save it again", path,
                        ranges[i][0] < end ? "overlap" : "leave a hole", ranges[i][0]);
    }
    free(ranges);
    if (good && end != size)
        good = fail(error, "%s: trailing data: %zu bytes belong to no tensor; save it again", path,
                    size - end);
    return good;
}

static bool read_items(const json_t *header, struct payload *payload, struct safetensors *file,
                       struct error *error) {
    file->items = calloc(json_object_size(header) + 1, sizeof *file->items);
    if (!file->items)
        return fail_memory(error, file->path);
    const char *key;
    json_t *entry;
    json_object_foreach((json_t *)header, key, entry) {
        if (strcmp(key, "__metadata__") == 0)
            continue;
        char what[512];
        snprintf(what, sizeof what, "%.300s: tensor '%.128s'", file->path, key);
        struct named_tensor *item = &file->items[file->count];
        if (!(item->name = strdup(key)))
            return fail_memory(error, file->path);
        file->count++;
        if (!read_tensor(entry, what, payload, &item->tensor, error))
            return false;
    }
    return check_cover(header, file->path, payload->size, error);
}

bool safetensors_parse(const char *name, const unsigned char *bytes, size_t size,
                       struct safetensors *file, struct error *error) {
    *file = (struct safetensors){.path = strdup(name)};
    if (!file->path)
        return fail_memory(error, name);
    uint64_t length = 0;
    for (size_t i = 0; i < 8 && i < size; i++)
        length |= (uint64_t)bytes[i] << 8 * i;
    if (size < 8 || length > size - 8) {
        error_set(error, "%s: truncated, or not a .safetensors file: %zu bytes; save it again",
                  name, size);
        safetensors_destroy(file);
        return false;
    }
    json_error_t json_error;
    json_t *header =
        json_loadb((const char *)bytes + 8, length, JSON_REJECT_DUPLICATES, &json_error);
    bool good;
    if (!json_is_object(header)) {
        good = fail(error, "%s: malformed header: %s; save it again", name,
                    header ? "not an object" : json_error.text);
    } else {
        struct payload payload = {.data = bytes + 8 + length, .size = size - 8 - length};
        good = read_items(header, &payload, file, error);
    }
    json_decref(header);
    if (!good)
        safetensors_destroy(file);
    return good;
}

bool safetensors_read(const char *path, struct safetensors *file, struct error *error) {
    struct bytes bytes;
    *file = (struct safetensors){0};
    if (!file_read(path, &bytes, error))
        return false;
    const bool good = safetensors_parse(path, bytes.data, bytes.size, file, error);
    free(bytes.data);
    return good;
}

void safetensors_destroy(struct safetensors *file) {
    for (size_t i = 0; i < file->count; i++) {
        free(file->items[i].name);
        tensor_destroy(&file->items[i].tensor);
    }
    free(file->items);
    free(file->path);
    *file = (struct safetensors){0};
}

bool safetensors_find(const struct safetensors *file, const char *name,
                      const struct tensor **tensor, struct error *error) {
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->items[i].name, name) == 0) {
            *tensor = &file->items[i].tensor;
            return true;
        }
    }
    return fail(error, "%s: no tensor '%s'; give a file that has it", file->path, name);
}
