#include "base/names.h"

#include <narrowmac.h>
#include <stdio.h>
#include <string.h>

enum { MAX_LENGTH = 32 };

int names_find(names choices, const char *name) {
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], name) == 0)
            return i;
    }
    return -1;
}

static size_t edit_distance(const char *a, const char *b) {
    size_t row[MAX_LENGTH + 1];
    const size_t columns = strlen(b);
    if (columns > MAX_LENGTH)
        return MAX_LENGTH;
    for (size_t j = 0; j <= columns; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < columns; j++) {
            size_t best = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (diagonal + 1 < best)
                best = diagonal + 1;
            row[j + 1] = best;
        }
    }
    return row[columns];
}

static const char *nearest(names choices, const char *name) {
    const char *found = NULL;
    size_t best = strlen(name) < 4 ? 2 : 3; // beyond two slips it is another word
    for (int i = 0; choices[i]; i++) {
        const size_t distance = edit_distance(name, choices[i]);
        if (distance < best) {
            best = distance;
            found = choices[i];
        }
    }
    return found;
}

bool names_fail(names choices, const char *what, const char *name, struct error *error) {
    char list[512] = "";
    size_t used = 0;
    for (int i = 0; choices[i] && used < sizeof list; i++)
        used +=
            (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", choices[i]);
    const char *near = nearest(choices, name);
    return fail(error, "%s '%.64s': unknown%s%s%s; use one of %s", what, name,
                near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "", list);
}

bool names_lookup(names choices, const char *what, const char *name, size_t *index,
                  struct error *error) {
    const int found = names_find(choices, name);
    if (found < 0)
        return names_fail(choices, what, name, error);
    *index = (size_t)found;
    return true;
}

names precision_names(void) {
    static const char *list[NM_PRECISION_COUNT + 1];
    for (int i = 0; i < NM_PRECISION_COUNT; i++)
        list[i] = nm_precision_name((nm_precision)i);
    return list;
}

names isa_names(void) {
    static const char *list[NM_ISA_COUNT + 1];
    for (int i = 0; i < NM_ISA_COUNT; i++)
        list[i] = nm_isa_name((nm_isa)i);
    return list;
}

names algorithm_names(void) {
    static const char *list[NM_ALGORITHM_COUNT + 1];
    for (int i = 0; i < NM_ALGORITHM_COUNT; i++)
        list[i] = nm_algorithm_name((nm_algorithm)i);
    return list;
}

names scheme_names(void) {
    static const char *list[NM_SCHEME_COUNT + 1];
    for (int i = 0; i < NM_SCHEME_COUNT; i++)
        list[i] = nm_scheme_name((nm_scheme)i);
    return list;
}
