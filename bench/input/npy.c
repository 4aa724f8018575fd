#include "input/npy.h"
#include "base/file.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char magic[6] = "\x93NUMPY";

static const struct {
    const char *descr;
    nm_dtype type;
} types[] = {
    {"<f4", NM_FLOAT32}, {"<i4", NM_INT32}, {"|i1", NM_INT8},
    {"|u1", NM_UINT8},   {"<i1", NM_INT8},  {"<u1", NM_UINT8},
};
enum { TYPE_COUNT = sizeof types / sizeof *types };

/** The header: a Python dictionary of three keys. */
struct header {
    char descr[32];
    bool fortran_order;
    size_t rank;
    size_t shape[TENSOR_MAX_RANK];
};

/** What is left of the header's text. */
struct scan {
    const char *at, *end;
};

static void skip_blanks(struct scan *s) {
    while (s->at < s->end && isspace((unsigned char)*s->at))
        s->at++;
}

static bool take(struct scan *s, char c) {
    skip_blanks(s);
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

static bool take_word(struct scan *s, const char *word) {
    skip_blanks(s);
    const size_t length = strlen(word);
    if ((size_t)(s->end - s->at) < length || memcmp(s->at, word, length) != 0)
        return false;
    s->at += length;
    return true;
}

static bool take_string(struct scan *s, char *text, size_t size) {
    skip_blanks(s);
    const char quote = s->at < s->end ? *s->at : 0;
    if (quote != '\'' && quote != '"')
        return false;
    const char *start = ++s->at;
    while (s->at < s->end && *s->at != quote)
        s->at++;
    const size_t length = (size_t)(s->at - start);
    if (s->at == s->end || length >= size)
        return false;
    memcpy(text, start, length);
    text[length] = '\0';
    s->at++;
    return true;
}

static bool take_size(struct scan *s, size_t *value) {
    skip_blanks(s);
    if (s->at == s->end || !isdigit((unsigned char)*s->at))
        return false;
    *value = 0;
    for (; s->at < s->end && isdigit((unsigned char)*s->at); s->at++) {
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (size_t)(*s->at - '0'), value))
            return false;
    }
    return true;
}

static bool take_shape(struct scan *s, struct header *header) {
    if (!take(s, '('))
        return false;
    for (header->rank = 0; !take(s, ')'); header->rank++) {
        if (header->rank == TENSOR_MAX_RANK || !take_size(s, &header->shape[header->rank]))
            return false;
        if (take(s, ','))
            continue;
        header->rank++;
        return take(s, ')');
    }
    return true;
}

static bool take_entry(struct scan *s, struct header *header, unsigned *seen) {
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    char key[32];
    unsigned k = 0;
    if (!take_string(s, key, sizeof key) || !take(s, ':'))
        return false;
    while (k < 3 && strcmp(key, keys[k]) != 0)
        k++;
    if (k == 3 || *seen & 1u << k)
        return false;
    *seen |= 1u << k;
    if (k == 0)
        return take_string(s, header->descr, sizeof header->descr);
    if (k == 1) {
        header->fortran_order = take_word(s, "True");
        return header->fortran_order || take_word(s, "False");
    }
    return take_shape(s, header);
}

static bool parse_header(struct scan s, struct header *header) {
    unsigned seen = 0;
    if (!take(&s, '{'))
        return false;
    while (!take(&s, '}')) {
        if (!take_entry(&s, header, &seen))
            return false;
        if (!take(&s, ',')) {
            if (!take(&s, '}'))
                return false;
            break;
        }
    }
    skip_blanks(&s);
    return seen == 7 && s.at == s.end;
}

static bool find_type(const char *name, const char *descr, nm_dtype *type, struct error *error) {
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (strcmp(types[i].descr, descr) == 0) {
            *type = types[i].type;
            return true;
        }
    }
    return fail(error,
                "%s: dtype '%s' is not supported; save little-endian float32, int32, int8 or uint8",
                name, descr);
}

/** Where the header's text begins and how long it is; false if the file is too short. */
static bool locate_header(const unsigned char *bytes, size_t size, size_t *start, size_t *length) {
    *start = bytes[6] == 1 ? 10 : 12;
    if (size < *start)
        return false;
    *length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] > 1)
        *length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    return *length <= size - *start;
}

bool npy_parse(const char *name, const unsigned char *bytes, size_t size, struct tensor *tensor,
               struct error *error) {
    *tensor = (struct tensor){0};
    if (size < 10)
        return fail(error, "%s: %zu bytes is too short for a .npy file; save it again", name, size);
    if (memcmp(bytes, magic, sizeof magic) != 0)
        return fail(error, "%s: not a .npy file (wrong magic); save it with numpy.save", name);
    if (bytes[6] < 1 || bytes[6] > 3)
        return fail(error, "%s: .npy version %u.%u is not supported; save version 1.0 to 3.0", name,
                    bytes[6], bytes[7]);
    size_t start, length;
    if (!locate_header(bytes, size, &start, &length))
        return fail(error, "%s: truncated within the header; save it again", name);
    struct header header = {0};
    const char *text = (const char *)bytes + start;
    if (!parse_header((struct scan){text, text + length}, &header))
        return fail(error,
                    "%s: malformed header; it must hold descr, fortran_order and a shape of at "
                    "most %d non-negative sizes; save it with numpy.save",
                    name, TENSOR_MAX_RANK);
    nm_dtype type;
    if (!find_type(name, header.descr, &type, error))
        return false;
    if (header.fortran_order && header.rank > 1)
        return fail(error, "%s: Fortran order; save numpy.ascontiguousarray of it", name);

    // Compared before memory is asked for: a header may claim any size.
    size_t needed;
    if (!tensor_bytes(name, type, header.rank, header.shape, &needed, error))
        return false;
    const size_t present = size - start - length;
    if (needed != present)
        return fail(error, "%s: %s: %zu bytes of data, %zu needed for shape %s; save it again",
                    name, present < needed ? "truncated" : "trailing data", present, needed,
                    shape_text(header.rank, header.shape).text);
    if (!tensor_create(tensor, name, type, header.rank, header.shape, error))
        return false;
    memcpy(tensor->data, bytes + start + length, needed);
    return true;
}

bool npy_read(const char *path, struct tensor *tensor, struct error *error) {
    struct bytes bytes;
    if (!file_read(path, &bytes, error))
        return false;
    const bool good = npy_parse(path, bytes.data, bytes.size, tensor, error);
    free(bytes.data);
    return good;
}

void npy_write(struct output *output, const struct tensor *tensor) {
    const char *descr = "";
    for (size_t i = TYPE_COUNT; i-- > 0;) {
        if (types[i].type == tensor->type)
            descr = types[i].descr;
    }
    char header[256];
    const int length =
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
                 descr, shape_text(tensor->rank, tensor->shape).text);
    // The data starts at a multiple of 64 bytes; the padding ends with a newline.
    const size_t padded = ((size_t)length + 1 + 10 + 63) / 64 * 64 - 10;
    const unsigned char lead[4] = {1, 0, (unsigned char)(padded & 255),
                                   (unsigned char)(padded >> 8)};
    fwrite(magic, 1, sizeof magic, output->file);
    fwrite(lead, 1, sizeof lead, output->file);
    fprintf(output->file, "%-*s\n", (int)padded - 1, header);
    fwrite(tensor->data, dtype_size(tensor->type), tensor->count, output->file);
}
