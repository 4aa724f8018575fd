#include "history/history.h"
#include "base/memory.h"
#include "history/results.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    APPLICATION_ID = 0x6e6d6163, // "nmac", at byte 68 of the file
    HEADER_BYTES = 72,
    BUSY_MILLISECONDS = 60000,
};

/** Each text takes the schema one version further. Published ones never change. */
static const char *const migrations[] = {
    "CREATE TABLE run ("
    "  id INTEGER PRIMARY KEY,"
    "  kind TEXT NOT NULL,"        // bench, accuracy, fpga
    "  date TEXT NOT NULL,"        // of the measurement, UTC, ISO 8601
    "  recorded_at TEXT NOT NULL," // likewise
    "  \"commit\" TEXT,"
    "  dirty INTEGER,"
    "  machine TEXT NOT NULL," // fingerprint: what decides speed
    "  host TEXT,"
    "  cpu TEXT,"
    "  isa TEXT,"
    "  compiler TEXT,"
    "  flags TEXT,"
    "  threads INTEGER,"
    "  context TEXT NOT NULL," // the document's own, JSON: versions of tools and all else
    "  source TEXT);"
    "CREATE TABLE series ("
    "  id INTEGER PRIMARY KEY,"
    "  run_id INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,"
    "  name TEXT NOT NULL,"
    "  metric TEXT NOT NULL,"
    "  unit TEXT NOT NULL,"
    "  higher_is_better INTEGER NOT NULL,"
    "  exact INTEGER NOT NULL,"
    "  attributes TEXT,"
    "  UNIQUE (run_id, name, metric));"
    "CREATE TABLE sample ("
    "  series_id INTEGER NOT NULL REFERENCES series ON DELETE CASCADE,"
    "  position INTEGER NOT NULL," // repetition or seed
    "  value REAL NOT NULL,"
    "  PRIMARY KEY (series_id, position)) WITHOUT ROWID;"
    "CREATE INDEX series_by_name ON series (name, metric);",

    // A build may be named; the same document counts once; of two clocks one is judged.
    "ALTER TABLE run ADD COLUMN label TEXT;"
    "ALTER TABLE run ADD COLUMN digest TEXT;"
    "ALTER TABLE series ADD COLUMN judged INTEGER NOT NULL DEFAULT 1;"
    "CREATE UNIQUE INDEX run_by_digest ON run (digest);"
    "CREATE VIEW build AS SELECT id AS run_id, coalesce(label,"
    "  \"commit\" || iif(dirty, '-dirty', ''), 'run ' || id) AS name FROM run;",
};
enum { SCHEMA_VERSION = sizeof migrations / sizeof *migrations };

/* ---- Errors ------------------------------------------------------------------------------- */

static bool fail_sqlite(const struct history *history, int code, struct error *error) {
    const char *path = history->path ? history->path : "memory";
    const int cause = sqlite3_system_errno(history->db);
    switch (code & 0xff) {
    case SQLITE_FULL:
        return fail(error,
                    "%s: the disk is full; free some space and record again (what was "
                    "recorded before is safe)",
                    path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return fail(error, "%s: cannot be written (%s); give a file and a folder that can", path,
                    cause ? strerror(cause) : "read-only");
    case SQLITE_IOERR:
        return fail(error,
                    "%s: reading or writing failed (%s%s%s); look at the disk and at limits of a "
                    "file's size, then try again (what was recorded before is safe)",
                    path, sqlite3_errmsg(history->db), cause ? ": " : "",
                    cause ? strerror(cause) : "");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return fail(error, "%s: another program has held it for %d s; try again when it has ended",
                    path, BUSY_MILLISECONDS / 1000);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return fail(error,
                    "%s: damaged (%s); restore a copy, or save what is left with "
                    "'sqlite3 FILE .recover'",
                    path, sqlite3_errmsg(history->db));
    default:
        return fail(error, "%s: %s; restore a copy", path, sqlite3_errmsg(history->db));
    }
}

bool history_prepare(struct history *history, const char *sql, sqlite3_stmt **statement,
                     struct error *error) {
    const int code = sqlite3_prepare_v2(history->db, sql, -1, statement, NULL);
    return code == SQLITE_OK || fail_sqlite(history, code, error);
}

bool history_step(struct history *history, sqlite3_stmt *statement, bool *row,
                  struct error *error) {
    const int code = sqlite3_step(statement);
    *row = code == SQLITE_ROW;
    return *row || code == SQLITE_DONE || fail_sqlite(history, code, error);
}

bool history_run(struct history *history, const char *sql, struct error *error) {
    const int code = sqlite3_exec(history->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK || fail_sqlite(history, code, error);
}

/* ---- Opening ------------------------------------------------------------------------------ */

/** Looks at the file's first bytes before SQLite does: SQLite would already lock, recover or grow
 *  a file that is not ours. */
static bool check_header(const char *path, bool may_create, struct error *error) {
    unsigned char header[HEADER_BYTES];
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0 && errno == ENOENT && may_create)
        return true;
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status) != 0)
        return fail_errno(error, path,
                          errno == ENOENT ? "make it with 'narrowmac record'"
                                          : "give a readable history");
    const ssize_t got = S_ISREG(status.st_mode) ? read(descriptor, header, sizeof header) : -1;
    close(descriptor);
    if (!S_ISREG(status.st_mode))
        return fail(error, "%s: is a directory or a device; give a file", path);
    if (got == 0 && may_create)
        return true;
    const uint32_t id = got < HEADER_BYTES
                            ? 0
                            : (uint32_t)header[68] << 24 | (uint32_t)header[69] << 16 |
                                  (uint32_t)header[70] << 8 | header[71];
    if (id != APPLICATION_ID || memcmp(header, "SQLite format 3", 16) != 0)
        return fail(error, "%s: no narrowmac history; give one, or a new file's name", path);
    return true;
}

static bool query_number(struct history *history, const char *sql, int64_t *value,
                         struct error *error) {
    sqlite3_stmt *statement;
    bool row;
    if (!history_prepare(history, sql, &statement, error))
        return false;
    const bool good = history_step(history, statement, &row, error);
    *value = good && row ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return good;
}

static bool schema_version(struct history *history, int64_t *version, struct error *error) {
    return query_number(history, "PRAGMA user_version", version, error) &&
           (*version <= SCHEMA_VERSION ||
            fail(error,
                 "%s: written by a newer narrowmac (schema %lld, this one knows %d); update "
                 "narrowmac",
                 history->path, (long long)*version, SCHEMA_VERSION));
}

/** In the caller's transaction: whoever else migrates waits, then finds nothing left to do. */
static bool migrate_locked(struct history *history, struct error *error) {
    int64_t version;
    if (!schema_version(history, &version, error))
        return false;
    for (; version < SCHEMA_VERSION; version++) {
        if (!history_run(history, migrations[version], error))
            return false;
    }
    char sql[96];
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, SCHEMA_VERSION);
    return history_run(history, sql, error);
}

static bool migrate(struct history *history, struct error *error) {
    int64_t version;
    if (!schema_version(history, &version, error))
        return false;
    if (version == SCHEMA_VERSION)
        return true;
    if (!history_run(history, "BEGIN IMMEDIATE", error))
        return false;
    if (migrate_locked(history, error) && history_run(history, "COMMIT", error))
        return true;
    sqlite3_exec(history->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

/** As a URI, for files that SQLite may take as unchanging. */
static char *immutable_uri(const char *path) {
    char *uri = need_format("file:%*s", (int)(3 * strlen(path) + 12), "");
    char *end = uri + strlen("file:");
    for (; *path; path++)
        end += sprintf(end, strchr("?#%", *path) ? "%%%02X" : "%c", (unsigned char)*path);
    memcpy(end, "?immutable=1", sizeof "?immutable=1");
    return uri;
}

static bool connect_to(struct history *history, const char *name, int flags, struct error *error) {
    const int code = sqlite3_open_v2(name, &history->db, flags | SQLITE_OPEN_EXRESCODE, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(history->db, BUSY_MILLISECONDS);
        return history_run(history, "PRAGMA foreign_keys = ON", error);
    }
    return fail_sqlite(history, code, error);
}

static bool open_write(struct history *history, struct error *error) {
    // A file past its size limit shall be an error of write(), not the end of the program.
    signal(SIGXFSZ, SIG_IGN);
    return connect_to(history, history->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error) &&
           // The identity goes in before the log is on, so that it is in the file's own header.
           migrate(history, error) && history_run(history, "PRAGMA journal_mode = WAL", error) &&
           history_run(history, "PRAGMA synchronous = FULL", error);
}

/** Whether runs wait in the write-ahead log that are not in the file itself yet. */
static bool has_log(const char *path) {
    char *log = need_format("%s-wal", path);
    struct stat status;
    const bool found = stat(log, &status) == 0 && status.st_size > 0;
    free(log);
    return found;
}

/** On a read-only disk the log's index cannot be made; nobody else writes there either. */
static bool open_immutable(struct history *history, struct error *error) {
    int64_t version;
    if (has_log(history->path))
        return fail(error,
                    "%s: its newest runs are still in %s-wal, and the folder is read-only; copy "
                    "both to a folder that can be written",
                    history->path, history->path);
    sqlite3_close(history->db);
    char *uri = immutable_uri(history->path);
    const bool good = connect_to(history, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, error) &&
                      schema_version(history, &version, error);
    free(uri);
    return good;
}

static bool open_read(struct history *history, struct error *error) {
    int64_t version;
    // Of SQLite's readers only those that could write take their log away when they close.
    if (!connect_to(history, history->path, SQLITE_OPEN_READWRITE, error))
        return false;
    if (schema_version(history, &version, error))
        return true;
    const int code = sqlite3_errcode(history->db) & 0xff;
    return (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) && open_immutable(history, error);
}

/** Puts a copy in memory in the file's place. */
static bool copy_to_memory(struct history *history, struct error *error) {
    sqlite3 *const file = history->db;
    bool good = connect_to(history, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
    if (good && file) {
        sqlite3_backup *backup = sqlite3_backup_init(history->db, "main", file, "main");
        int code = SQLITE_ERROR;
        if (backup) {
            sqlite3_backup_step(backup, -1);
            code = sqlite3_backup_finish(backup);
        }
        good = code == SQLITE_OK || fail_sqlite(history, code, error);
    }
    sqlite3_close(file);
    return good && migrate(history, error);
}

static bool open_any(struct history *history, enum history_mode mode, struct error *error) {
    if (!history->path)
        return copy_to_memory(history, error);
    if (!check_header(history->path, mode == HISTORY_WRITE, error))
        return false;
    if (mode == HISTORY_WRITE)
        return open_write(history, error);
    int64_t version;
    if (!open_read(history, error) || !schema_version(history, &version, error))
        return false;
    return (mode == HISTORY_READ && version == SCHEMA_VERSION) || copy_to_memory(history, error);
}

bool history_open(const char *path, enum history_mode mode, struct history *history,
                  struct error *error) {
    *history = (struct history){.path = path};
    if (open_any(history, mode, error))
        return true;
    history_close(history);
    return false;
}

void history_close(struct history *history) {
    sqlite3_close(history->db);
    *history = (struct history){0};
}

/* ---- Adding a run ------------------------------------------------------------------------- */

/** FNV-1a over the document with sorted keys: tells the same file recorded twice, no more. Digits
 *  as output_json() writes them, so that a document and its file are the same. */
static char *digest_of(const json_t *document) {
    uint64_t half[2] = {0xcbf29ce484222325u, 0x84222325cbf29ce4u};
    char *text = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(9));
    for (const char *c = text ? text : ""; *c; c++) {
        for (int i = 0; i < 2; i++)
            half[i] = (half[i] ^ (unsigned char)*c) * 0x100000001b3u;
    }
    free(text);
    return need_format("%016llx%016llx", (unsigned long long)half[0], (unsigned long long)half[1]);
}

static const char *text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/** What decides speed, in words: two runs with the same words may be compared. A host's name is
 *  left out where the CPU is known: cloud runners change it with every job. */
static char *fingerprint(const json_t *context) {
    const char *cpu = text(context, "cpu_model");
    char *words = need_format("%s, %s, %lld CPUs",
                              cpu                          ? cpu
                              : text(context, "host_name") ? text(context, "host_name")
                                                           : "unknown",
                              text(context, "machine") ? text(context, "machine") : "unknown",
                              (long long)json_integer_value(json_object_get(context, "num_cpus")));
    size_t i;
    json_t *cache;
    json_array_foreach(json_object_get(context, "caches"), i, cache) {
        const char *type = text(cache, "type");
        if (type && strcmp(type, "Instruction") == 0)
            continue;
        char *longer =
            need_format("%s, L%lld %lld KiB", words,
                        (long long)json_integer_value(json_object_get(cache, "level")),
                        (long long)json_integer_value(json_object_get(cache, "size")) / 1024);
        free(words);
        words = longer;
    }
    return words;
}

static void bind_text(sqlite3_stmt *statement, int index, const char *value) {
    sqlite3_bind_text(statement, index, value, -1, SQLITE_TRANSIENT);
}

static bool insert_run(struct history *history, const json_t *document,
                       const struct results *results, const char *source, const char *label,
                       const char *digest, struct error *error) {
    // A date that SQLite cannot read (other tools' formats) gives way to now.
    static const char sql[] =
        "INSERT INTO run (kind, date, recorded_at, \"commit\", dirty, machine, host, cpu, isa,"
        "  compiler, flags, threads, context, source, label, digest)"
        "VALUES (?, coalesce(strftime('%Y-%m-%dT%H:%M:%SZ', ?), strftime('%Y-%m-%dT%H:%M:%SZ')),"
        "  strftime('%Y-%m-%dT%H:%M:%SZ'), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const json_t *context = json_object_get(document, "context");
    const char *commit = text(context, "git_commit");
    char *machine = fingerprint(context);
    char *whole = json_dumps(context ? context : json_null(), JSON_COMPACT | JSON_ENCODE_ANY);
    sqlite3_stmt *insert;
    bool row, good = history_prepare(history, sql, &insert, error);
    if (good) {
        const char *const columns[] = {
            results->kind,
            text(context, "date"),
            commit && strcmp(commit, "unknown") != 0 ? commit : NULL,
            NULL,
            machine,
            text(context, "host_name"),
            text(context, "cpu_model"),
            text(context, "isa"),
            text(context, "compiler"),
            text(context, "compiler_flags"),
            NULL,
            whole,
            source,
            label,
            digest,
        };
        for (int i = 0; i < (int)(sizeof columns / sizeof *columns); i++)
            bind_text(insert, i + 1, columns[i]);
        sqlite3_bind_int(insert, 4, json_is_true(json_object_get(context, "git_dirty")));
        const json_t *threads = json_object_get(context, "openmp_threads");
        if (json_is_integer(threads))
            sqlite3_bind_int64(insert, 11, json_integer_value(threads));
        good = history_step(history, insert, &row, error);
    }
    sqlite3_finalize(insert);
    free(machine);
    free(whole);
    return good;
}

static bool insert_series(struct history *history, sqlite3_stmt *statements[2], int64_t run,
                          const struct series *series, struct error *error) {
    bool row;
    sqlite3_bind_int64(statements[0], 1, run);
    bind_text(statements[0], 2, series->name);
    bind_text(statements[0], 3, series->metric);
    bind_text(statements[0], 4, series->unit);
    sqlite3_bind_int(statements[0], 5, series->higher_is_better);
    sqlite3_bind_int(statements[0], 6, series->exact);
    bind_text(statements[0], 7, series->attributes);
    sqlite3_bind_int(statements[0], 8, series->judged);
    if (!history_step(history, statements[0], &row, error))
        return false;
    sqlite3_reset(statements[0]);
    sqlite3_bind_int64(statements[1], 1, sqlite3_last_insert_rowid(history->db));
    for (size_t i = 0; i < series->count; i++) {
        sqlite3_bind_int64(statements[1], 2, series->position[i]);
        sqlite3_bind_double(statements[1], 3, series->value[i]);
        if (!history_step(history, statements[1], &row, error))
            return false;
        sqlite3_reset(statements[1]);
    }
    return true;
}

static bool insert_all_series(struct history *history, const struct results *results, int64_t run,
                              struct error *error) {
    sqlite3_stmt *statements[2] = {NULL};
    bool good =
        history_prepare(history,
                        "INSERT INTO series (run_id, name, metric, unit, higher_is_better, exact,"
                        "  attributes, judged) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        &statements[0], error) &&
        history_prepare(history, "INSERT INTO sample (series_id, position, value) VALUES (?, ?, ?)",
                        &statements[1], error);
    for (size_t i = 0; good && i < results->count; i++)
        good = insert_series(history, statements, run, &results->series[i], error);
    sqlite3_finalize(statements[0]);
    sqlite3_finalize(statements[1]);
    return good;
}

static bool known_run(struct history *history, const char *digest, int64_t *run,
                      struct error *error) {
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT id FROM run WHERE digest = '%s'", digest);
    return query_number(history, sql, run, error);
}

/** In the caller's transaction. */
static bool add_locked(struct history *history, const json_t *document,
                       const struct results *results, const char *source, const char *label,
                       struct recorded *recorded, struct error *error) {
    char *digest = digest_of(document);
    bool good = known_run(history, digest, &recorded->run, error);
    recorded->known = good && recorded->run != 0;
    if (good && !recorded->known) {
        good = insert_run(history, document, results, source, label, digest, error);
        recorded->run = sqlite3_last_insert_rowid(history->db);
        good = good && insert_all_series(history, results, recorded->run, error);
    }
    free(digest);
    return good;
}

bool history_add(struct history *history, const json_t *document, const char *source,
                 const char *label, struct recorded *recorded, struct error *error) {
    struct results results;
    if (!results_parse(document, source, &results, error))
        return false;
    *recorded = (struct recorded){.series = results.count, .skipped = results.skipped};
    for (size_t i = 0; i < results.count; i++)
        recorded->samples += results.series[i].count;
    bool good = history_run(history, "BEGIN IMMEDIATE", error);
    if (good) {
        good = add_locked(history, document, &results, source, label, recorded, error) &&
               history_run(history, "COMMIT", error);
        if (!good)
            sqlite3_exec(history->db, "ROLLBACK", NULL, NULL, NULL);
    }
    results_free(&results);
    return good;
}

bool history_record(const char *path, const json_t *document, const char *source,
                    struct error *error) {
    struct history history;
    struct recorded recorded;
    if (!history_open(path, HISTORY_WRITE, &history, error))
        return false;
    const bool good = history_add(&history, document, source, NULL, &recorded, error);
    history_close(&history);
    if (good)
        fprintf(stderr, "recorded as run %lld of %s\n", (long long)recorded.run, path);
    return good;
}
