/** Figures as people read them, and as JSON and CSV hold them. */
#ifndef BENCH_FORMAT_H
#define BENCH_FORMAT_H

#include <jansson.h>
#include <stdio.h>

/** "12.3 us", "0.975", "184 MHz": times in the unit that fits. Returns text. */
const char *format_figure(char text[32], double value, const char *unit);

/** "+5.1%", "-0.2%"; "" for NaN. Returns text. */
const char *format_change(char text[32], double ratio);

/** A number, null where it is not finite: unmeasured is never 0. */
json_t *json_figure(double value);

/** A field of a line of CSV (RFC 4180); not finite: empty. */
void csv_text(FILE *file, const char *text);
void csv_figure(FILE *file, double value);

#endif
