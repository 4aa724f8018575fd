-- A history as schema 1 left it: one run, one benchmark, two samples.
CREATE TABLE run (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, date TEXT NOT NULL,
    recorded_at TEXT NOT NULL, "commit" TEXT, dirty INTEGER, machine TEXT NOT NULL, host TEXT,
    cpu TEXT, isa TEXT, compiler TEXT, flags TEXT, threads INTEGER, context TEXT NOT NULL,
    source TEXT);
CREATE TABLE series (id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES run ON DELETE CASCADE, name TEXT NOT NULL,
    metric TEXT NOT NULL, unit TEXT NOT NULL, higher_is_better INTEGER NOT NULL,
    exact INTEGER NOT NULL, attributes TEXT, UNIQUE (run_id, name, metric));
CREATE TABLE sample (series_id INTEGER NOT NULL REFERENCES series ON DELETE CASCADE,
    position INTEGER NOT NULL, value REAL NOT NULL, PRIMARY KEY (series_id, position))
    WITHOUT ROWID;
CREATE INDEX series_by_name ON series (name, metric);
INSERT INTO run VALUES (1, 'bench', '2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z',
    '0123456789ab', 1, 'Test CPU, x86_64, 2 CPUs', 'host', 'Test CPU', 'avx2', 'gcc 12', '-O3', 2,
    '{}', 'old.json');
INSERT INTO series VALUES (1, 1, 'seed.conv1/w8a8/avx2/threads:1', 'real_time', 'ns', 0, 0, '{}');
INSERT INTO sample VALUES (1, 0, 1000), (1, 1, 2000);
PRAGMA application_id = 1852662115;
PRAGMA user_version = 1;
