#include "base/table.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct row {
    char *cell[TABLE_MAX_COLUMNS];
    size_t count;
    bool rule_before;
};

struct table {
    const struct table_column *columns;
    size_t column_count;
    struct row *rows;
    size_t row_count;
    bool rule_next;
};

struct table *table_create(const struct table_column *columns) {
    struct table *table = need(1, sizeof *table);
    table->columns = columns;
    while (columns[table->column_count].title)
        table->column_count++;
    return table;
}

void table_row(struct table *table) {
    table->rows = need_more(table->rows, table->row_count + 1, sizeof *table->rows);
    table->rows[table->row_count++] = (struct row){.rule_before = table->rule_next};
    table->rule_next = false;
}

void table_cell(struct table *table, const char *format, ...) {
    struct row *row = &table->rows[table->row_count - 1];
    if (row->count == table->column_count)
        return;
    va_list arguments;
    va_start(arguments, format);
    char *text;
    if (vasprintf(&text, format, arguments) < 0)
        text = need(1, 1);
    va_end(arguments);
    row->cell[row->count++] = text;
}

void table_rule(struct table *table) { table->rule_next = true; }

/** Columns on screen: UTF-8 continuation bytes take no room. */
static size_t width_of(const char *text) {
    size_t width = 0;
    for (; text && *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_cell(const char *text, size_t width, bool right, bool last, FILE *file) {
    const int blanks = (int)(width - width_of(text));
    if (right)
        fprintf(file, "%*s%s", blanks, "", text ? text : "");
    else
        fprintf(file, "%s%*s", text ? text : "", last ? 0 : blanks, "");
    fputs(last ? "\n" : "  ", file);
}

static void print_rule(const size_t *width, size_t columns, FILE *file) {
    size_t total = 2 * (columns - 1);
    for (size_t c = 0; c < columns; c++)
        total += width[c];
    while (total--)
        fputc('-', file);
    fputc('\n', file);
}

void table_print(struct table *table, FILE *file) {
    const size_t columns = table->column_count;
    size_t width[TABLE_MAX_COLUMNS];
    for (size_t c = 0; c < columns; c++) {
        width[c] = width_of(table->columns[c].title);
        for (size_t r = 0; r < table->row_count; r++) {
            const size_t wanted = width_of(table->rows[r].cell[c]);
            if (wanted > width[c])
                width[c] = wanted;
        }
    }
    for (size_t c = 0; c < columns; c++)
        print_cell(table->columns[c].title, width[c], table->columns[c].align == TABLE_RIGHT,
                   c + 1 == columns, file);
    print_rule(width, columns, file);
    for (size_t r = 0; r < table->row_count; r++) {
        if (table->rows[r].rule_before && r)
            print_rule(width, columns, file);
        for (size_t c = 0; c < columns; c++) {
            print_cell(table->rows[r].cell[c], width[c], table->columns[c].align == TABLE_RIGHT,
                       c + 1 == columns, file);
            free(table->rows[r].cell[c]);
        }
    }
    free(table->rows);
    free(table);
}
