"""Runs the workflow on a plan: one run at a time, progress shown, nothing outliving its call."""

import ctypes
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from fpga.files import FlowError
from fpga.plan import Plan
from fpga.tables import HERE
from fpga.toolchain import OWNER, ROOT

STEP = re.compile(r"(\d+) of (\d+) steps")
PR_SET_PDEATHSIG = 1


def lock(folder: Path) -> IO[str]:
    """Held until this process ends, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise FlowError(folder, "another run is using it", "wait, or give --build DIR") from None
    return file


def drop_damaged(paths: list[Path]) -> None:
    """A result that does not parse (a power cut, a meddling hand) is made anew."""
    for path in paths:
        try:
            if path.exists():
                json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            print(f"fpga: {path}: damaged; making it anew", file=sys.stderr)
            path.unlink()


class Progress:
    """One line on a terminal; elsewhere a line every half minute."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.shown = self.start
        self.terminal = sys.stderr.isatty()

    def step(self, done: str, total: str) -> None:
        now = time.monotonic()
        if self.terminal or now - self.shown > 30 or done == total:
            self.shown = now
            end = "\n" if not self.terminal or done == total else "\r"
            text = f"fpga: {done} of {total} steps, {now - self.start:.0f} s"
            print(text, end=end, file=sys.stderr, flush=True)


def snakemake(plan: Plan, plan_file: Path, jobs: int, profile: Path | None) -> int:
    """Runs the workflow; its exit status. Its whole output goes to snakemake.log.

    A job's own error line is shown as it comes; if none came, the workflow's last line is.
    """
    arguments = [
        sys.executable, "-m", "snakemake", "--snakefile", str(HERE / "Snakefile"),
        "--directory", plan.build, "--config", f"plan={plan_file}", "--nocolor", "--nolock",
        "--scheduler", "greedy", "--keep-going", "--rerun-incomplete",
        "--rerun-triggers", "mtime", "params", "input",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    if profile:
        arguments += ["--profile", str(profile.resolve()), "--jobs", str(jobs)]
    else:
        arguments += ["--executor", "local", "--cores", str(jobs)]
        environment[OWNER] = str(os.getpid())
    libc = ctypes.CDLL(None)
    progress = Progress()
    told, last = False, "ended"
    with (
        (Path(plan.build) / "snakemake.log").open("wb", buffering=0) as log,
        subprocess.Popen(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509 no threads
        ) as process,
    ):
        for line in process.stdout or ():
            try:
                log.write(line.encode())
            except OSError as error:
                process.kill()  # with a full disk it would not end
                raise FlowError(log.name, error.strerror, "make room, then run again") from None
            if line.startswith("fpga: "):
                told = True
                print(line, end="", file=sys.stderr)
            elif match := STEP.match(line):
                progress.step(match[1], match[2])
            last = line.strip() or last
    if process.returncode and not told:
        print(f"fpga: workflow: {last}; see {log.name}", file=sys.stderr)
    return process.returncode


def first_use_note(plan: Plan, tools: list[str]) -> None:
    fresh = [tool for tool in tools if not plan.tool_file(tool).exists()]
    if plan.toolchain == "yowasp" and fresh:
        print(
            f"fpga: the first call of a YoWASP tool compiles it, once ({', '.join(fresh)}; "
            "Yosys takes a minute or two)",
            file=sys.stderr,
        )
