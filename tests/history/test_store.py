"""The file: schema, other people's files, several writers, kills, full and read-only disks."""

import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import bench
from program import PROGRAM, Program

SCHEMA_1 = Path(__file__).with_name("schema-1.sql")


def document(index: int, samples: int = 5) -> dict:
    return bench(
        {"a": [index + 1 + i / 100 for i in range(samples)]},
        date=f"2026-03-01T12:00:{index % 60:02d}Z",
    )


def count(path: Path) -> int:
    """Runs in a history that must be sound and whole."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        half = "SELECT count(*) FROM run WHERE id NOT IN (SELECT run_id FROM series)"
        assert database.execute(half).fetchone() == (0,)
        return database.execute("SELECT count(*) FROM run").fetchone()[0]


def test_identity_and_log(narrowmac: Program) -> None:
    narrowmac("record", "h.db", narrowmac.file("a.json", document(0)))
    header = (narrowmac.folder / "h.db").read_bytes()[:100]
    assert header[68:72] == b"nmac"
    with sqlite3.connect(narrowmac.folder / "h.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA user_version").fetchone() == (2,)


# ---- schema ----------------------------------------------------------------------------------


@pytest.fixture
def older(narrowmac: Program) -> Path:
    """A history of schema 1 with one run in it."""
    path = narrowmac.folder / "old.db"
    with sqlite3.connect(path) as database:
        database.executescript(SCHEMA_1.read_text())
    return path


def test_an_older_schema_is_brought_up_to_date(narrowmac: Program, older: Path) -> None:
    narrowmac("record", older, narrowmac.file("a.json", document(0)))
    assert count(older) == 2
    shown = narrowmac.json("history", older)
    assert [run["build"] for run in shown["runs"]] == ["0123456789ab-dirty", "aaaa00001111"]


def test_an_older_schema_is_read_without_being_changed(narrowmac: Program, older: Path) -> None:
    before = older.read_bytes()
    shown = narrowmac.json("history", older)
    assert shown["benchmarks"][0]["points"][0]["level"] == 1250
    assert older.read_bytes() == before
    assert list(narrowmac.folder.glob("old.db-*")) == []


def test_reading_leaves_nothing_behind(narrowmac: Program) -> None:
    narrowmac("record", "h.db", narrowmac.file("a.json", document(0)))
    before = narrowmac.files()
    content = (narrowmac.folder / "h.db").read_bytes()
    narrowmac("history", "h.db")
    assert narrowmac.files() == before
    assert (narrowmac.folder / "h.db").read_bytes() == content


def refuse(narrowmac: Program, path: Path, why: str) -> None:
    before = path.read_bytes()
    name = narrowmac.file("a.json", document(0))
    for arguments in (("record", path, name), ("history", path), ("compare", path, "1", "2")):
        assert why in narrowmac.error(*arguments)
    assert path.read_bytes() == before
    assert not path.with_name(path.name + "-wal").exists()


def test_a_newer_schema_is_refused(narrowmac: Program) -> None:
    narrowmac("record", "h.db", narrowmac.file("a.json", document(0)))
    path = narrowmac.folder / "h.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("PRAGMA user_version = 99")
    refuse(narrowmac, path, "newer narrowmac (schema 99")


def test_other_peoples_databases_are_refused(narrowmac: Program) -> None:
    path = narrowmac.folder / "theirs.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE run (id INTEGER)")
    refuse(narrowmac, path, "no narrowmac history")


@pytest.mark.parametrize("content", [b"hello\n", b"SQLite format 3\0", bytes(4096)])
def test_other_files_are_refused(narrowmac: Program, content: bytes) -> None:
    path = narrowmac.folder / "file"
    path.write_bytes(content)
    refuse(narrowmac, path, "no narrowmac history")


def test_a_folder_is_refused(narrowmac: Program) -> None:
    name = narrowmac.file("a.json", document(0))
    assert "directory" in narrowmac.error("record", narrowmac.folder, name)
    assert "directory" in narrowmac.error("history", narrowmac.folder)


def test_a_missing_history_is_only_made_by_record(narrowmac: Program) -> None:
    assert "narrowmac record" in narrowmac.error("history", "none.db")
    assert "narrowmac record" in narrowmac.error("compare", "none.db", "1", "2")
    assert not (narrowmac.folder / "none.db").exists()


def test_an_empty_file_becomes_a_history(narrowmac: Program) -> None:
    (narrowmac.folder / "h.db").touch()
    narrowmac("record", "h.db", narrowmac.file("a.json", document(0)))
    assert count(narrowmac.folder / "h.db") == 1


@pytest.mark.parametrize("damage", ["pages", "truncated"])
def test_a_damaged_history_is_a_clear_error(narrowmac: Program, damage: str) -> None:
    names = [narrowmac.file(f"{i}.json", document(i, 200)) for i in range(20)]
    narrowmac("record", "h.db", *names)
    path = narrowmac.folder / "h.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = DELETE")
    content = bytearray(path.read_bytes())
    assert len(content) > 4 * 4096
    content[4096:] = b"" if damage == "truncated" else bytes(b ^ 0xA5 for b in content[4096:])
    path.write_bytes(content)
    assert "damaged" in narrowmac.error("history", "h.db")
    other = narrowmac.file("other.json", document(21))
    assert "damaged" in narrowmac.error("record", "h.db", other)


# ---- several writers, and kills --------------------------------------------------------------


def recorder(narrowmac: Program, script: str) -> subprocess.Popen:
    """A shell in which $N is the program."""
    return subprocess.Popen(["bash", "-euc", script], cwd=narrowmac.folder,
                            env=os.environ | {"N": str(PROGRAM)}, stdout=subprocess.DEVNULL)  # fmt: skip


def test_two_writers_at_once_lose_nothing(narrowmac: Program) -> None:
    """Each records half of its files in one process, and half in a process a file."""
    writers = []
    for writer in range(2):
        names = [narrowmac.file(f"{writer}-{i}.json", document(1000 * writer + i))
                 for i in range(40)]  # fmt: skip
        writers.append((" ".join(names[:20]), " ".join(names[20:])))
    running = [
        recorder(
            narrowmac, f'"$N" record h.db {at_once}; for f in {each}; do "$N" record h.db $f; done'
        )
        for at_once, each in writers
    ]
    assert [writer.wait() for writer in running] == [0, 0]
    assert count(narrowmac.folder / "h.db") == 80


def test_writers_and_readers_at_once(narrowmac: Program) -> None:
    names = [narrowmac.file(f"{i}.json", document(i)) for i in range(60)]
    narrowmac("record", "h.db", names[0])
    writer = recorder(narrowmac, f'for f in {" ".join(names[1:])}; do "$N" record h.db $f; done')
    seen = [0]
    while writer.poll() is None:
        seen.append(len(narrowmac.json("history", "h.db")["runs"]))
    assert writer.returncode == 0
    assert seen == sorted(seen) and len(set(seen)) > 2
    assert count(narrowmac.folder / "h.db") == 60


def test_a_kill_loses_at_most_the_run_in_progress(narrowmac: Program) -> None:
    """What was acknowledged is there after every kill, and nothing is half there."""
    random_ = random.Random(7)
    files = [narrowmac.file(f"{i}.json", document(i, 2000)) for i in range(25)]
    path = narrowmac.folder / "h.db"
    killed = 0
    for round_ in range(40):
        if round_ % 8 == 0:  # from nothing, so that the making of the file is killed too
            for file in narrowmac.folder.glob("h.db*"):
                file.unlink()
            acknowledged: set[str] = set()
        with (narrowmac.folder / "log").open("w+") as log:
            writer = subprocess.Popen([PROGRAM, "record", "h.db", *files], cwd=narrowmac.folder,
                                      stdout=log, stderr=subprocess.STDOUT)  # fmt: skip
            time.sleep(random_.uniform(0.0, 0.12))
            writer.send_signal(signal.SIGKILL)
            killed += writer.wait() == -signal.SIGKILL
            log.seek(0)
            acknowledged |= {line.split(":")[0] for line in log if line.endswith("samples\n")}
        if not path.exists():
            assert not acknowledged
            continue
        if path.stat().st_size == 0:
            continue
        assert len(acknowledged) <= count(path) <= len(acknowledged) + 1
        there = {run["source"] for run in narrowmac.json("history", "h.db")["runs"]}
        assert acknowledged <= there
        acknowledged = there
    assert killed >= 20
    narrowmac("record", "h.db", *files)
    assert count(path) == len(files)


# ---- disks -----------------------------------------------------------------------------------


def limit_file_size(limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def test_a_file_that_cannot_grow(narrowmac: Program) -> None:
    narrowmac("record", "h.db", narrowmac.file("a.json", document(0)))
    big = narrowmac.file("b.json", document(1, 20000))
    done = subprocess.run([PROGRAM, "record", "h.db", big], cwd=narrowmac.folder, text=True,
                          capture_output=True, preexec_fn=lambda: limit_file_size(100_000), check=False)  # fmt: skip
    assert done.returncode == 2, done
    assert "limits of a file's size" in done.stderr and done.stderr.count("\n") == 1
    assert count(narrowmac.folder / "h.db") == 1
    narrowmac("record", "h.db", big)
    assert count(narrowmac.folder / "h.db") == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk],
                      capture_output=True, check=False).returncode:  # fmt: skip
        pytest.skip("no right to mount a small disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk(narrowmac: Program, small_disk: Path) -> None:
    path = small_disk / "h.db"
    narrowmac("record", path, narrowmac.file("a.json", document(0)))
    message = narrowmac.error("record", path, narrowmac.file("b.json", document(1, 50000)))
    assert "disk is full" in message
    assert count(path) == 1


def test_a_read_only_disk(narrowmac: Program, small_disk: Path) -> None:
    path = small_disk / "h.db"
    narrowmac("record", path, narrowmac.file("a.json", document(0)))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    other = narrowmac.file("b.json", document(1))
    assert "cannot be written" in narrowmac.error("record", path, other)
    assert len(narrowmac.json("history", path)["runs"]) == 1
    assert "cannot be written" in narrowmac.error("record", small_disk / "new.db", other)


def test_a_read_only_file(narrowmac: Program) -> None:
    """As a user whom permissions bind: root may write everywhere."""
    narrowmac("record", "h.db", narrowmac.file("a.json", document(0)))
    other = narrowmac.file("b.json", document(1))
    program = narrowmac.folder / "narrowmac"
    shutil.copy(PROGRAM, program)
    for path, mode in ((narrowmac.folder / "h.db", 0o444), (narrowmac.folder, 0o555)):
        path.chmod(mode)
    as_user = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    for parent in narrowmac.folder.parents:
        if as_user and not parent.stat().st_mode & 0o001 and parent.owner() == "root":
            parent.chmod(parent.stat().st_mode | 0o011)
    try:
        for command, status in ((["record", "h.db", other], 2), (["history", "h.db"], 0)):
            done = subprocess.run([program, *command], cwd=narrowmac.folder, text=True,
                                  capture_output=True, check=False, **as_user)  # fmt: skip
            assert done.returncode == status, done
            assert status == 0 or "cannot be written" in done.stderr
    finally:
        narrowmac.folder.chmod(0o755)
    assert count(narrowmac.folder / "h.db") == 1
