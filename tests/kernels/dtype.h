/** The library's element types, one value at a time. */
#ifndef DTYPE_H
#define DTYPE_H

#include "narrowmac.h"

/** Bytes of n values; packed types round up. */
size_t dtype_bytes(nm_dtype type, size_t n);
/** The lowest and highest value of an integer type. */
void dtype_range(nm_dtype type, int32_t *min, int32_t *max);
/** "float32", "uint4", ... */
const char *dtype_name(nm_dtype type);
/** The type of the weights of a precision. */
nm_dtype weight_type(nm_precision precision);

/** Value i of a tensor of an integer type, packed ones included. */
int32_t get_int(nm_dtype type, const void *values, size_t i);
void set_int(nm_dtype type, void *values, size_t i, int32_t value);

#endif
