#include "history/history_select.h"
#include "base/memory.h"
#include "base/names.h"
#include "history/results.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_COMMIT_DIGITS = 4, NAMES_SHOWN = 12 };

static bool is_file(const char *part) {
    const size_t length = strlen(part);
    return strchr(part, '/') || (length > 5 && strcmp(part + length - 5, ".json") == 0);
}

bool selector_has_file(const char *selector) {
    char *list = need_format("%s", selector);
    bool found = false;
    for (char *next = list, *part; (part = strsep(&next, ","));)
        found = found || is_file(part);
    free(list);
    return found;
}

/** Runs an INSERT with parameters ?1 side and ?2 text. @param count rows that it added. */
static bool insert_matching(struct history *history, const char *sql, int side, const char *text,
                            int *count, struct error *error) {
    sqlite3_stmt *statement;
    bool row;
    if (!history_prepare(history, sql, &statement, error))
        return false;
    sqlite3_bind_int(statement, 1, side);
    sqlite3_bind_text(statement, 2, text, -1, SQLITE_STATIC);
    const bool good = history_step(history, statement, &row, error);
    sqlite3_finalize(statement);
    *count = good ? sqlite3_changes(history->db) : 0;
    return good;
}

static bool add_file(struct history *history, const char *path, int side, struct error *error) {
    json_t *document = results_read(path, error);
    if (!document)
        return false;
    struct recorded recorded;
    bool good = history_add(history, document, path, NULL, &recorded, error);
    json_decref(document);
    char sql[96];
    snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO side VALUES (%d, %lld)", side,
             (long long)recorded.run);
    return good && history_run(history, sql, error);
}

/** What to offer in place of an unknown name: commits are cut to the length that was typed. */
static bool fail_unknown(struct history *history, const char *part, struct error *error) {
    static const char sql[] =
        "SELECT DISTINCT iif(label IS NULL, substr(\"commit\", 1, ?1) || iif(dirty, '-dirty', ''),"
        " label) AS shown FROM run WHERE shown IS NOT NULL ORDER BY date DESC, id DESC LIMIT ?2";
    char kept[NAMES_SHOWN][64];
    const char *choices[NAMES_SHOWN + 3] = {"latest", "best"};
    sqlite3_stmt *statement;
    if (!history_prepare(history, sql, &statement, error))
        return false;
    const int length = (int)strlen(part);
    sqlite3_bind_int(statement, 1, length < LEAST_COMMIT_DIGITS ? LEAST_COMMIT_DIGITS : length);
    sqlite3_bind_int(statement, 2, NAMES_SHOWN);
    bool row = true;
    for (size_t i = 0; i < NAMES_SHOWN && history_step(history, statement, &row, error) && row;
         i++) {
        snprintf(kept[i], sizeof kept[i], "%s", (const char *)sqlite3_column_text(statement, 0));
        choices[i + 2] = kept[i];
    }
    sqlite3_finalize(statement);
    return names_fail(choices, "build or run", part, error);
}

/** Clean builds of a commit where there are any, else those of changed sources. */
static bool add_commit(struct history *history, const char *part, int side, int *count,
                       struct error *error) {
    char *commit = need_format("%s", part);
    char *dirty = strstr(commit, "-dirty");
    if (dirty)
        *dirty = '\0';
    static const char matching[] =
        "SELECT count(DISTINCT \"commit\") FROM run WHERE substr(\"commit\", 1, length(?2)) = ?2"
        " OR substr(?2, 1, length(\"commit\")) = \"commit\"";
    static const char insert[] =
        "INSERT OR IGNORE INTO side SELECT ?1, id FROM run WHERE label IS NULL AND dirty = %d AND "
        "(substr(\"commit\", 1, length(?2)) = ?2 OR substr(?2, 1, length(\"commit\")) = "
        "\"commit\")";
    sqlite3_stmt *statement;
    bool row, good = history_prepare(history, matching, &statement, error);
    if (good) {
        sqlite3_bind_text(statement, 2, commit, -1, SQLITE_STATIC);
        good = history_step(history, statement, &row, error);
        if (good && sqlite3_column_int(statement, 0) > 1)
            good = fail(error, "commit '%.64s': begins several; give more digits", commit);
    }
    sqlite3_finalize(statement);
    for (int changed = dirty != NULL; good && *count == 0 && changed < 2; changed++) {
        char *sql = need_format(insert, changed);
        good = insert_matching(history, sql, side, commit, count, error);
        free(sql);
    }
    free(commit);
    return good;
}

static bool looks_like_commit(const char *part) {
    const size_t digits = strspn(part, "0123456789abcdef");
    return digits >= LEAST_COMMIT_DIGITS && (!part[digits] || strcmp(part + digits, "-dirty") == 0);
}

static bool add_part(struct history *history, const char *part, int side, struct error *error) {
    static const char *const by_text[] = {
        "INSERT OR IGNORE INTO side SELECT ?1, run_id FROM build WHERE ?2 = 'latest' AND name = "
        "(SELECT name FROM build JOIN run ON id = run_id ORDER BY date DESC, id DESC LIMIT 1)",
        "INSERT OR IGNORE INTO side SELECT ?1, id FROM run WHERE label = ?2",
        "INSERT OR IGNORE INTO side SELECT ?1, id FROM run WHERE CAST(id AS TEXT) = ?2",
    };
    if (is_file(part))
        return add_file(history, part, side, error);
    int count = 0;
    for (size_t i = 0; i < sizeof by_text / sizeof *by_text && count == 0; i++) {
        if (!insert_matching(history, by_text[i], side, part, &count, error))
            return false;
    }
    if (count == 0 && looks_like_commit(part) && !add_commit(history, part, side, &count, error))
        return false;
    return count > 0 || fail_unknown(history, part, error);
}

bool history_select(struct history *history, const char *selector, int side, bool *best,
                    struct error *error) {
    if (!history_run(history,
                     "CREATE TEMP TABLE IF NOT EXISTS side (side INTEGER, run_id INTEGER,"
                     " PRIMARY KEY (side, run_id))",
                     error))
        return false;
    *best = strcmp(selector, "best") == 0;
    if (*best) {
        char sql[96];
        snprintf(sql, sizeof sql, "INSERT INTO side SELECT %d, id FROM run", side);
        return history_run(history, sql, error);
    }
    char *list = need_format("%s", selector);
    bool good = true;
    for (char *next = list, *part; good && (part = strsep(&next, ","));)
        good = add_part(history, part, side, error);
    free(list);
    return good;
}
