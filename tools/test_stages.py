"""The stages of tools/test: builds, suites and checks, counted case by case.

A stage is a function that runs commands through its Stage and returns a Tally. Stages share
nothing but the source tree (each build has its own folder below build-test/), so that two run at
a time; what a command prints goes to build-test/logs/STAGE.log and is shown where it fails.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
BUILDS = ROOT / "build-test"
LOGS = BUILDS / "logs"
WORKERS = 2
JOBS = max(1, (os.cpu_count() or 1) // WORKERS)
FUZZ_SECONDS = 60
LOG_LINES = 60
COMMAND_SECONDS = 1500


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures

    def case(self, name: str, passed: bool) -> None:
        if passed:
            self.passed += 1
        else:
            self.failed += 1
            self.failures.append(name)


class CommandFailed(Exception):
    """A command without which the stage cannot go on."""


@dataclass
class Stage:
    """One stage's log, environment and commands."""

    name: str
    log: IO[str]
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str | Path, **environment: str) -> bool:
        words = [str(word) for word in command]
        print("$", *words, file=self.log, flush=True)
        # Waiting OpenMP threads would spin against the other stage; nothing here is timed.
        base = os.environ | {"OMP_WAIT_POLICY": "passive"}
        base["PATH"] = f"{ROOT / '.venv/bin'}:{base['PATH']}"
        try:
            done = subprocess.run(
                words,
                cwd=ROOT,
                env=base | self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=subprocess.STDOUT,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            print(f"{words[0]}: not installed", file=self.log, flush=True)
            return False
        except subprocess.TimeoutExpired:
            print(f"{words[0]}: stopped after {COMMAND_SECONDS} s", file=self.log, flush=True)
            return False
        return done.returncode == 0

    def must(self, *command: str | Path, **environment: str) -> None:
        if not self.run(*command, **environment):
            raise CommandFailed(" ".join(str(word) for word in command[:3]))


def junit(report: Path, ran: bool) -> Tally:
    """The cases of a JUnit report; a run that failed without a failed case is one."""
    tally = Tally()
    if report.exists():
        for case in ElementTree.parse(report).iter("testcase"):
            name = f"{case.get('classname', '')} {case.get('name', '')}".strip()
            if case.find("skipped") is not None:
                tally.skipped += 1
            else:
                bad = case.find("failure") is not None or case.find("error") is not None
                tally.case(name, not bad)
    if not ran and tally.failed == 0:
        tally.case("the run itself", False)
    return tally


def meson_build(
    stage: Stage, *options: str, targets: Sequence[str] = (), **environment: str
) -> Path:
    """Configures and builds build-test/STAGE (all, or some targets), only where it changed."""
    folder = BUILDS / stage.name
    if not (folder / "build.ninja").exists():
        shutil.rmtree(folder, ignore_errors=True)
        stage.must("meson", "setup", folder, *options, **environment)
    stage.must("ninja", "-C", folder, f"-j{JOBS}", *targets)
    return folder


def meson_test(stage: Stage, folder: Path, *arguments: str) -> Tally:
    report = folder / "meson-logs" / "testlog.junit.xml"
    report.unlink(missing_ok=True)
    ran = stage.run(
        "meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs",
        f"--num-processes={JOBS}", *arguments,
    )  # fmt: skip
    return junit(report, ran)


def pytest(stage: Stage, suite: str, *arguments: str) -> Tally:
    report = LOGS / f"{stage.name}-{suite}.xml"
    report.unlink(missing_ok=True)
    ran = stage.run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ROOT / "tests" / suite,
        f"--junit-xml={report}", *arguments,
    )  # fmt: skip
    return junit(report, ran)


def suites() -> list[str]:
    """The folders of tests/ that hold pytest files."""
    return sorted({path.relative_to(ROOT / "tests").parts[0]
                   for path in (ROOT / "tests").glob("*/**/test_*.py")})  # fmt: skip


# ---- The stages


def kernels(stage: Stage) -> Tally:
    """The C library's tests, every warning an error"""
    return meson_test(stage, meson_build(stage, "-Dwerror=true"))


def sanitizers(stage: Stage) -> Tally:
    """The C and command-line tests under AddressSanitizer and UndefinedBehaviorSanitizer"""
    stage.environment = {
        # The tests of out of memory want NULL, as malloc gives it.
        "ASAN_OPTIONS": "allocator_may_return_null=1:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        "LSAN_OPTIONS": f"suppressions={ROOT / 'tests' / 'lsan.supp'}:print_suppressions=0",
        "NARROWMAC_TEST_EVERY": "6",
    }
    # The SIMD tiers are a few huge functions: GCC takes many minutes over each with these checks,
    # clang half a minute less the three that a crash or AddressSanitizer shows as well.
    folder = meson_build(
        stage, "-Doptimization=1", "-Db_sanitize=address,undefined", "-Db_lundef=false",
        "-Dc_args=-gline-tables-only -fno-sanitize=null,object-size,pointer-overflow",
        CC="clang",
    )  # fmt: skip
    tally = meson_test(stage, folder)
    for suite in ("cli", "history"):
        if suite in suites():
            program = str(folder / "narrowmac")
            stage.environment["NARROWMAC"] = program
            tally.add(pytest(stage, suite))
    return tally


def threads(stage: Stage) -> Tally:
    """The kernels' tests under ThreadSanitizer"""
    # GCC's libgomp hides its barriers from the sanitizer; clang's libomp reports them through
    # Archer, which it loads by itself. libomp is not instrumented and is not what is tested.
    stage.environment = {
        "TSAN_OPTIONS": "ignore_noninstrumented_modules=1:halt_on_error=1",
        "NARROWMAC_TEST_EVERY": "8",
    }
    folder = meson_build(
        stage, "-Dprogram=false", "-Dbuildtype=debugoptimized", "-Db_sanitize=thread",
        "-Db_lundef=false", CC="clang",
    )  # fmt: skip
    return meson_test(stage, folder, "--suite", "conv", "--timeout-multiplier=4")


def aarch64(stage: Stage) -> Tally:
    """The library's tests cross-built for aarch64, under qemu-user"""
    folder = meson_build(
        stage, "--cross-file", "tests/aarch64-linux-gnu.ini", "-Dprogram=false", "-Dwerror=true"
    )
    # Emulation is some twenty times slower.
    stage.environment = {"NARROWMAC_TEST_EVERY": "10"}
    return meson_test(stage, folder, "--timeout-multiplier=4")


def fuzz(stage: Stage) -> Tally:
    """The file readers' libFuzzer targets, a minute in total"""
    names = sorted(path.stem for path in (ROOT / "tests" / "fuzz").glob("fuzz_*.c"))
    folder = meson_build(
        stage, "-Dfuzzers=true", targets=[f"tests/fuzz/{name}" for name in names], CC="clang"
    )
    tally = Tally()
    for name in names:
        # What it finds is kept for the next run; the seeds are the repository's.
        found = BUILDS / "corpus" / name
        found.mkdir(parents=True, exist_ok=True)
        passed = stage.run(
            folder / "tests" / "fuzz" / name, f"-max_total_time={FUZZ_SECONDS // len(names)}",
            "-max_len=4096", "-timeout=10", "-malloc_limit_mb=300", f"-artifact_prefix={LOGS}/",
            found, ROOT / "tests" / "fuzz" / "corpus" / name.removeprefix("fuzz_"),
        )  # fmt: skip
        tally.case(name, passed)
    return tally


def package(stage: Stage) -> Tally:
    """What is installed: header, libraries and pkg-config file serve a program outside"""
    prefix = BUILDS / "installed"
    shutil.rmtree(prefix, ignore_errors=True)
    folder = meson_build(stage, "-Dtests=false", f"--prefix={prefix}", "--libdir=lib")
    stage.must("meson", "install", "-C", folder, "--no-rebuild")
    stage.environment = {
        "PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig"),
        "LD_LIBRARY_PATH": str(prefix / "lib"),
    }
    source = ROOT / "tests" / "package" / "consumer.c"
    link = "gcc -Wall -Wextra -Wpedantic -Werror {0} -o {1} $(pkg-config --cflags --libs {2}) {3}"
    tally = Tally()
    for name, libraries, options in (
        ("shared", "narrowmac", ""),
        ("static", "--static narrowmac", "-static -fopenmp"),
    ):
        program = prefix / f"consumer-{name}"
        linked = stage.run("sh", "-c", link.format(source, program, libraries, options))
        tally.case(f"a program with the {name} library", linked and stage.run(program))
    header = prefix / "include" / "narrowmac.h"
    for language in ("c", "c++"):
        checked = stage.run("clang", f"-x{language}", "-Wall", "-Werror", "-fsyntax-only", header)
        tally.case(f"the header as {language}", checked)
    tally.case("the program", stage.run(prefix / "bin" / "narrowmac", "--version"))
    return tally


def sources(*patterns: str) -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def scripts(interpreter: str) -> Iterator[str]:
    """Tracked files without an extension that the interpreter runs."""
    for path in sources("tools/*", ".ci/*", "fpga/*", "tests/*"):
        file = ROOT / path
        if "." in file.name or not file.is_file():
            continue
        with file.open("rb") as opened:
            first = opened.readline(80)
        if first.startswith(b"#!") and interpreter.encode() in first:
            yield path


def lint(stage: Stage) -> Tally:
    """clang-format, clang-tidy, shellcheck and ruff; a case a file"""
    tally = Tally()
    folder = meson_build(stage, targets=["bench/build_info.h"], CC="clang")
    for path in sources("*.c", "*.h", "*.cpp"):
        tally.case(f"clang-format {path}", stage.run("clang-format", "--dry-run", "-Werror", path))
    for path in sources("kernels/*.c", "bench/*.c", "tests/*.c"):
        # What is compiled with flags of its own, or not on this machine, is not in the database.
        if f"/{path}" in (folder / "compile_commands.json").read_text():
            tally.case(f"clang-tidy {path}", stage.run("clang-tidy", "--quiet", "-p", folder, path))
    for path in [*scripts("bash"), *sources("*.sh")]:
        tally.case(f"shellcheck {path}", stage.run("shellcheck", path))
    python = [*sources("*.py"), *scripts("python")]
    tally.case("ruff check", stage.run("ruff", "check", "--no-cache", *python))
    return tally


STAGES: dict[str, Callable[[Stage], Tally]] = {
    "aarch64": aarch64,
    "sanitizers": sanitizers,
    "threads": threads,
    "kernels": kernels,
    "fuzz": fuzz,
    "lint": lint,
    "package": package,
}


def all_stages() -> dict[str, Callable[[Stage], Tally]]:
    def suite_stage(suite: str) -> Callable[[Stage], Tally]:
        def run_suite(stage: Stage) -> Tally:
            return pytest(stage, suite)

        run_suite.__doc__ = f"tests/{suite}, by pytest"
        return run_suite

    of_suites = {suite: suite_stage(suite) for suite in suites()}
    # The simulations take as long as a build and its tests: begun last, they would end alone.
    long = {suite: of_suites[suite] for suite in of_suites if suite == "hdl"}
    return long | STAGES | of_suites


# ---- Running them


@contextmanager
def opened_log(name: str) -> Iterator[IO[str]]:
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("w", encoding="utf-8") as log:
        yield log


def run_stage(name: str, function: Callable[[Stage], Tally]) -> tuple[str, Tally, float]:
    start = time.monotonic()
    with opened_log(name) as log:
        try:
            tally = function(Stage(name, log))
        except CommandFailed as failure:
            tally = Tally()
            tally.case(f"{failure}", False)
    return name, tally, time.monotonic() - start


def report(name: str, about: str, tally: Tally, seconds: float) -> None:
    skipped = f", {tally.skipped} skipped" if tally.skipped else ""
    print(f"== {name}: {about}")
    print(f"   {tally.passed} passed, {tally.failed} failed{skipped} in {seconds:.0f} s")
    if tally.failed:
        for failure in tally.failures[:20]:
            print(f"   FAILED {failure}")
        lines = (LOGS / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
        print(f"   the end of {(LOGS / name).relative_to(ROOT)}.log:")
        print("\n".join(f"   | {line}" for line in lines[-LOG_LINES:]))
    sys.stdout.flush()


def parse(stages: Sequence[str], arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="test")
    parser.add_argument("--list", action="store_true", help="print the stages and stop")
    parser.add_argument("--only", metavar="STAGE,..", help=f"of {', '.join(stages)}")
    return parser.parse_args(arguments)


def main() -> int:
    stages = all_stages()
    options = parse(list(stages))
    if options.list:
        for name, function in stages.items():
            print(f"{name:12} {(function.__doc__ or '').strip()}")
        return 0
    chosen = options.only.split(",") if options.only else list(stages)
    for name in chosen:
        if name not in stages:
            print(f"test: {name}: no such stage; use one of {', '.join(stages)}", file=sys.stderr)
            return 2
    total = Tally()
    print(f"test: {len(chosen)} stages, {WORKERS} at a time: {', '.join(chosen)}", flush=True)
    with ThreadPoolExecutor(WORKERS) as pool:
        for future in as_completed(pool.submit(run_stage, name, stages[name]) for name in chosen):
            name, tally, seconds = future.result()
            report(name, (stages[name].__doc__ or "").strip(), tally, seconds)
            total.add(tally)
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
