#include "dtype.h"

static const struct {
    const char *name;
    unsigned bits;
    int32_t min, max;
} types[] = {
    [NM_FLOAT32] = {"float32", 32, 0, 0},
    [NM_INT32] = {"int32", 32, INT32_MIN, INT32_MAX},
    [NM_INT8] = {"int8", 8, INT8_MIN, INT8_MAX},
    [NM_UINT8] = {"uint8", 8, 0, UINT8_MAX},
    [NM_INT4] = {"int4", 4, -8, 7},
    [NM_UINT4] = {"uint4", 4, 0, 15},
};

size_t dtype_bytes(nm_dtype type, size_t n) { return (n * types[type].bits + 7) / 8; }

void dtype_range(nm_dtype type, int32_t *min, int32_t *max) {
    *min = types[type].min;
    *max = types[type].max;
}

const char *dtype_name(nm_dtype type) { return types[type].name; }

nm_dtype weight_type(nm_precision precision) {
    static const nm_dtype of[] = {NM_FLOAT32, NM_INT8, NM_INT4, NM_INT4};
    return of[precision];
}

int32_t get_int(nm_dtype type, const void *values, size_t i) {
    const uint8_t *bytes = values;
    const int32_t nibble = types[type].bits == 4 ? (bytes[i / 2] >> (i % 2 * 4)) & 15 : 0;
    switch (type) {
    case NM_INT8:
        return ((const int8_t *)values)[i];
    case NM_UINT8:
        return bytes[i];
    case NM_UINT4:
        return nibble;
    case NM_INT4:
        return nibble < 8 ? nibble : nibble - 16;
    default:
        return ((const int32_t *)values)[i];
    }
}

void set_int(nm_dtype type, void *values, size_t i, int32_t value) {
    uint8_t *bytes = values;
    if (types[type].bits == 8)
        bytes[i] = (uint8_t)value;
    else if (types[type].bits == 4)
        bytes[i / 2] = (uint8_t)(i % 2 == 0 ? (bytes[i / 2] & 0xf0) | (value & 15)
                                            : (bytes[i / 2] & 0x0f) | (value & 15) << 4);
    else
        ((int32_t *)values)[i] = value;
}
