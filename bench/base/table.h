/** Aligned tables on a terminal. */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include <stddef.h>
#include <stdio.h>

enum { TABLE_MAX_COLUMNS = 16 };

/** One column: numbers are set to the right, words to the left. */
struct table_column {
    const char *title;
    enum { TABLE_LEFT, TABLE_RIGHT } align;
};

struct table;

/** @param columns ends with a NULL title; must outlive the table. Ends the program when out of
 *  memory, as all of these do. */
struct table *table_create(const struct table_column *columns);

/** Starts a row; cells follow from left to right, missing ones stay empty. */
void table_row(struct table *table);
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** A line across before the next row. */
void table_rule(struct table *table);

/** Prints and frees. */
void table_print(struct table *table, FILE *file);

#endif
