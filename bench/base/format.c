#include "base/format.h"

#include <math.h>
#include <string.h>

enum { SIZE = 32 };

const char *format_figure(char text[SIZE], double value, const char *unit) {
    static const struct {
        double least;
        const char *name;
    } times[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {0, "ns"}};
    if (!isfinite(value)) {
        snprintf(text, SIZE, "-");
    } else if (strcmp(unit, "ns") == 0) {
        size_t i = 0;
        while (value < times[i].least)
            i++;
        snprintf(text, SIZE, "%.4g %s", value / (times[i].least > 0 ? times[i].least : 1),
                 times[i].name);
    } else {
        snprintf(text, SIZE, "%.6g%s%s", value, unit[0] ? " " : "", unit);
    }
    return text;
}

const char *format_change(char text[SIZE], double ratio) {
    if (isfinite(ratio))
        snprintf(text, SIZE, "%+.1f%%", 100 * (ratio - 1));
    else
        text[0] = '\0';
    return text;
}

json_t *json_figure(double value) { return isfinite(value) ? json_real(value) : json_null(); }

void csv_text(FILE *file, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

void csv_figure(FILE *file, double value) {
    if (isfinite(value))
        fprintf(file, "%.17g", value);
}
