#include "accuracy/accuracy.h"
#include "base/file.h"
#include "base/json_input.h"
#include "base/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *scheme_text(int scheme) {
    return scheme == NONE ? "-" : nm_scheme_name((nm_scheme)scheme);
}

static bool is_row(const struct layer_row *row, const char *network, const char *layer) {
    return strcmp(row->network, network) == 0 && strcmp(row->layer, layer) == 0;
}

/** Whether this row begins another layer. */
static bool starts_layer(const struct layer_rows *rows, size_t i) {
    return i == 0 || !is_row(&rows->row[i], rows->row[i - 1].network, rows->row[i - 1].layer);
}

/** The row of one layer at a precision and scheme, of float outputs; NULL where there is none. */
static const struct layer_row *find_row(const struct layer_rows *rows, const struct layer_row *of,
                                        nm_precision precision, int scheme, int rounding) {
    for (size_t i = 0; i < rows->count; i++) {
        const struct layer_row *row = &rows->row[i];
        if (is_row(row, of->network, of->layer) && row->precision == precision &&
            row->scheme == scheme && row->rounding == rounding)
            return row;
    }
    return NULL;
}

/* ---- Errors ------------------------------------------------------------------------------- */

/** The course report's figures for a row; NULL where it has none. Its layers were chained. */
static const json_t *report_of(const json_t *report, const struct layer_row *row) {
    size_t i;
    const json_t *entry;
    if (strcmp(row->network, "seed") != 0 || row->rounding != NONE || row->isolated)
        return NULL;
    json_array_foreach(json_object_get(report, "layers"), i, entry) {
        const char *layer = json_string_value(json_object_get(entry, "layer"));
        const char *precision = json_string_value(json_object_get(entry, "precision"));
        const char *scheme = json_string_value(json_object_get(entry, "scheme"));
        if (layer && precision && strcmp(layer, row->layer) == 0 &&
            strcmp(precision, nm_precision_name(row->precision)) == 0 &&
            strcmp(scheme ? scheme : "-", scheme_text(row->scheme)) == 0)
            return entry;
    }
    return NULL;
}

static void add_error_row(struct table *table, const struct layer_row *row, const json_t *report) {
    static const char *const roundings[] = {"int8, tflite", "int8, float"};
    const struct metrics *metrics = &row->metrics;
    table_row(table);
    table_cell(table, "%s", row->layer);
    table_cell(table, "%s", nm_precision_name(row->precision));
    table_cell(table, "%s", scheme_text(row->scheme));
    table_cell(table, "%s", row->rounding == NONE ? "float" : roundings[row->rounding]);
    table_cell(table, "%.6f", metrics->max_abs_diff);
    table_cell(table, "%.6f", metrics->sum_abs_diff / (double)row->images);
    table_cell(table, "%.7f", metrics->mean_abs_diff);
    table_cell(table, isfinite(metrics->sqnr_db) ? "%.1f" : "exact", metrics->sqnr_db);
    const json_t *theirs = report_of(report, row);
    if (theirs) {
        table_cell(table, "%.6f", json_number_value(json_object_get(theirs, "max_abs_diff")));
        table_cell(table, "%.6f", json_number_value(json_object_get(theirs, "sum_abs_diff")));
    }
}

static void print_errors(const struct layer_rows *rows, const json_t *report) {
    static const struct table_column columns[] = {
        {"layer", TABLE_LEFT},
        {"precision", TABLE_LEFT},
        {"scheme", TABLE_LEFT},
        {"output", TABLE_LEFT},
        {"max diff", TABLE_RIGHT},
        {"accumulated", TABLE_RIGHT},
        {"mean diff", TABLE_RIGHT},
        {"SQNR dB", TABLE_RIGHT},
        {"report: max", TABLE_RIGHT},
        {"accumulated", TABLE_RIGHT},
        {0},
    };
    const struct layer_row *first = &rows->row[0];
    printf("Network %s: difference from TensorFlow's float32 outputs, over %zu images.\n"
           "Each layer takes %s.\n"
           "Output int8 is requantized, with TensorFlow Lite's own parameters. Accumulated is for "
           "one image.\n",
           first->network, first->images,
           first->isolated ? "TensorFlow's output of the layer before (isolated)"
                           : "its own row's output of the layer before (chained)");
    if (strcmp(first->network, "seed") == 0 && !first->isolated)
        printf("Report: the course report's Table 1 and Figure 1, on its own weights and image.\n");
    printf("\n");
    struct table *table = table_create(columns);
    for (size_t i = 0; i < rows->count && strcmp(rows->row[i].network, first->network) == 0; i++) {
        if (i && starts_layer(rows, i))
            table_rule(table);
        add_error_row(table, &rows->row[i], report);
    }
    table_print(table, stdout);
}

/* ---- First values ------------------------------------------------------------------------- */

/** Columns of the report's Figure 2: its 32 bit, 8 bit and 4 bit, and the best of 4 bit here. */
static const struct {
    const char *title;
    nm_precision precision;
    int scheme;
} shown[] = {
    {"32 bit (f32)", NM_F32, NONE},
    {"8 bit (w8a8 seed)", NM_W8A8, NM_SCHEME_SEED},
    {"4 bit (w4a4 seed)", NM_W4A4, NM_SCHEME_SEED},
    {"w4a8 group32+mse", NM_W4A8, NM_SCHEME_GROUP32_MSE},
};
enum { SHOWN_COUNT = sizeof shown / sizeof *shown };

static void add_first_rows(struct table *table, const struct layer_rows *rows,
                           const struct layer_row *of) {
    for (size_t v = 0; v < FIRST_VALUES; v++) {
        table_row(table);
        table_cell(table, "%s", of->layer);
        table_cell(table, "%.6f", of->first_reference[v]);
        for (size_t i = 0; i < SHOWN_COUNT; i++) {
            const struct layer_row *row =
                find_row(rows, of, shown[i].precision, shown[i].scheme, NONE);
            if (row)
                table_cell(table, "%.6f", row->first[v]);
            else
                table_cell(table, "-");
        }
    }
}

static void print_first_values(const struct layer_rows *rows) {
    struct table_column columns[3 + SHOWN_COUNT] = {{"layer", TABLE_LEFT},
                                                    {"Real (TensorFlow)", TABLE_RIGHT}};
    for (size_t i = 0; i < SHOWN_COUNT; i++)
        columns[2 + i] = (struct table_column){shown[i].title, TABLE_RIGHT};
    printf("\nThe first outputs that TensorFlow has above zero, as in the report's Figure 2.\n\n");
    struct table *table = table_create(columns);
    const char *network = rows->row[0].network;
    for (size_t i = 0; i < rows->count && strcmp(rows->row[i].network, network) == 0; i++) {
        if (!starts_layer(rows, i))
            continue;
        if (i)
            table_rule(table);
        add_first_rows(table, rows, &rows->row[i]);
    }
    table_print(table, stdout);
}

/* ---- Checks ------------------------------------------------------------------------------- */

static void add_check_row(struct table *table, const struct layer_rows *rows,
                          const struct layer_row *of) {
    const struct layer_row *f32 = find_row(rows, of, NM_F32, NONE, NONE);
    const int scheme = NM_SCHEME_PER_CHANNEL;
    const struct layer_row *bytes[2] = {find_row(rows, of, NM_W8A8, scheme, NM_ROUNDING_TFLITE),
                                        find_row(rows, of, NM_W8A8, scheme, NM_ROUNDING_FLOAT)};
    table_row(table);
    table_cell(table, "%s", of->network);
    table_cell(table, "%s", of->layer);
    table_cell(table, f32 ? "%.1e" : "-", f32 ? f32->metrics.max_abs_diff : 0);
    table_cell(table, f32 ? "%.1e" : "-", f32 ? f32->metrics.max_abs_diff / f32->metrics.range : 0);
    table_cell(table, "%zu", of->metrics.count);
    for (size_t i = 0; i < 2; i++)
        table_cell(table, bytes[i] ? "%zu" : "-", bytes[i] ? bytes[i]->tflite_mismatches : 0);
}

static void print_checks(const struct layer_rows *rows) {
    static const struct table_column columns[] = {
        {"network", TABLE_LEFT},
        {"layer", TABLE_LEFT},
        {"f32 max diff", TABLE_RIGHT},
        {"of the range", TABLE_RIGHT},
        {"outputs", TABLE_RIGHT},
        {"int8 bytes unlike TFLite's", TABLE_RIGHT},
        {"with float rounding", TABLE_RIGHT},
        {0},
    };
    printf("\nAgainst TensorFlow (f32) and TensorFlow Lite's reference kernels (w8a8 per-channel, "
           "its own\nparameters, tflite rounding and float rounding).\n\n");
    struct table *table = table_create(columns);
    for (size_t i = 0; i < rows->count; i++) {
        if (starts_layer(rows, i))
            add_check_row(table, rows, &rows->row[i]);
    }
    table_print(table, stdout);
}

bool print_layer_rows(const struct layer_rows *rows, struct error *error) {
    char path[DATA_PATH_MAX];
    struct bytes bytes;
    json_t *report;
    if (!data_find("course_report.json", path, error) || !file_read(path, &bytes, error))
        return false;
    const bool good = json_parse(path, bytes.data, bytes.size, &report, error);
    free(bytes.data);
    if (!good || rows->count == 0)
        return good;
    print_errors(rows, report);
    json_decref(report);
    print_first_values(rows);
    print_checks(rows);
    return true;
}

/* ---- Classification ----------------------------------------------------------------------- */

static double top1(const struct network_row *row) {
    return 100 * (double)row->right / (double)row->images;
}

void print_network_rows(const struct network_rows *rows) {
    static const struct table_column columns[] = {
        {"network", TABLE_LEFT},  {"precision", TABLE_LEFT},        {"scheme", TABLE_LEFT},
        {"top-1 %", TABLE_RIGHT}, {"points from f32", TABLE_RIGHT}, {0},
    };
    if (rows->count == 0)
        return;
    printf(
        "\nTop-1 over %zu test images (%s), every layer at the row's precision, in integers from "
        "the\npixels to the logits; activation ranges fixed beforehand on calibration images.\n\n",
        rows->row[0].images, rows->source);
    struct table *table = table_create(columns);
    const struct network_row *f32 = NULL;
    for (size_t i = 0; i < rows->count; i++) {
        const struct network_row *row = &rows->row[i];
        if (row->precision == NM_F32)
            f32 = row;
        if (i && row->precision != row[-1].precision)
            table_rule(table);
        table_row(table);
        table_cell(table, "%s", row->network);
        table_cell(table, "%s", nm_precision_name(row->precision));
        table_cell(table, "%s", scheme_text(row->scheme));
        table_cell(table, "%.2f", top1(row));
        if (f32 && f32 != row && strcmp(f32->network, row->network) == 0)
            table_cell(table, "%+.2f", top1(row) - top1(f32));
        else
            table_cell(table, "-");
    }
    table_print(table, stdout);
}
