#include "accuracy/accuracy.h"

#include <math.h>

/** A figure; null where it is not finite, which JSON cannot say. */
static json_t *figure(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *name_or_null(const char *name) { return name ? json_string(name) : json_null(); }

static const char *scheme_name(int scheme) {
    return scheme == NONE ? NULL : nm_scheme_name((nm_scheme)scheme);
}

static json_t *figures(const float *values) {
    json_t *array = json_array();
    for (size_t i = 0; i < FIRST_VALUES; i++)
        json_array_append_new(array, json_real(values[i]));
    return array;
}

json_t *layer_rows_json(const struct layer_rows *rows) {
    static const char *const roundings[] = {"tflite", "float"};
    json_t *array = json_array();
    for (size_t i = 0; i < rows->count; i++) {
        const struct layer_row *row = &rows->row[i];
        const struct metrics *metrics = &row->metrics;
        const bool bytes = row->rounding != NONE;
        json_t *object = json_object();
        json_object_set_new(object, "network", json_string(row->network));
        json_object_set_new(object, "layer", json_string(row->layer));
        json_object_set_new(object, "input", json_string(row->isolated ? "isolated" : "chained"));
        json_object_set_new(object, "precision", json_string(nm_precision_name(row->precision)));
        json_object_set_new(object, "scheme", name_or_null(scheme_name(row->scheme)));
        json_object_set_new(object, "rounding",
                            name_or_null(bytes ? roundings[row->rounding] : NULL));
        json_object_set_new(object, "images", json_integer((json_int_t)row->images));
        json_object_set_new(object, "values", json_integer((json_int_t)metrics->count));
        json_object_set_new(object, "reference_range", figure(metrics->range));
        json_object_set_new(object, "max_abs_diff", figure(metrics->max_abs_diff));
        json_object_set_new(object, "sum_abs_diff", figure(metrics->sum_abs_diff));
        json_object_set_new(object, "mean_abs_diff", figure(metrics->mean_abs_diff));
        json_object_set_new(object, "sqnr_db", figure(metrics->sqnr_db));
        json_object_set_new(object, "tflite_mismatches",
                            bytes ? json_integer((json_int_t)row->tflite_mismatches) : json_null());
        json_object_set_new(object, "first_values", figures(row->first));
        json_object_set_new(object, "first_reference_values", figures(row->first_reference));
        json_array_append_new(array, object);
    }
    return array;
}

json_t *network_rows_json(const struct network_rows *rows) {
    json_t *array = json_array();
    for (size_t i = 0; i < rows->count; i++) {
        const struct network_row *row = &rows->row[i];
        json_t *object = json_object();
        json_object_set_new(object, "network", json_string(row->network));
        json_object_set_new(object, "precision", json_string(nm_precision_name(row->precision)));
        json_object_set_new(object, "scheme", name_or_null(scheme_name(row->scheme)));
        json_object_set_new(object, "images", json_integer((json_int_t)row->images));
        json_object_set_new(object, "right", json_integer((json_int_t)row->right));
        json_object_set_new(object, "top1", json_real((double)row->right / (double)row->images));
        json_object_set_new(object, "test_set", name_or_null(rows->source));
        json_array_append_new(array, object);
    }
    return array;
}
