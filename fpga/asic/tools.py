"""Running the standard cell tools, and what version each one is."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from fpga import toolchain
from fpga.asic import library
from fpga.files import FlowError

REMEDIES = {
    "sta": "apt-get install opensta",
    "iverilog": "apt-get install iverilog",
    "vvp": "apt-get install iverilog",
}


def command(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise FlowError(name, "not found on PATH", REMEDIES[name])
    return path


def error_line(output: str) -> str:
    """The line of a tool's output that says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
    return errors[0] if errors else (lines or ["it printed nothing"])[-1]


def run(arguments: list[str], folder: Path, log: str, own_log: bool = False) -> str:
    """The combined output of a tool run in a folder, which also goes to a log there.

    With `own_log` the tool writes that log itself and what it prints is dropped: YoWASP's Yosys
    loses the end of its standard output where that is not a terminal.
    """
    path = folder / log
    with open(os.devnull if own_log else path, "w", encoding="utf-8") as printed:
        done = subprocess.run(
            arguments,
            check=False,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    output = path.read_text(encoding="utf-8", errors="replace")
    if done.returncode != 0:
        raise FlowError(Path(arguments[0]).name, error_line(output), f"see {path}")
    return output


def said(arguments: list[str], pattern: str) -> str:
    """What a command prints of itself, or `unknown`."""
    done = subprocess.run(arguments, check=False, capture_output=True, text=True)
    found = re.search(pattern, done.stdout)
    return found[0] if found else "unknown"


def versions(kind: str) -> dict[str, str]:
    """Of every tool and of the cell library; `kind` is the toolchain that Yosys comes from."""
    package = [shutil.which("dpkg-query") or "false", "-W", "-f", "${Version}", library.PACKAGE]
    number = r"\d+\.\d+(\.\d+)?"
    return {
        "yosys": toolchain.version(kind, "yosys"),
        "opensta": said([command("sta"), "-version"], number),
        "iverilog": said([command("iverilog"), "-V"], number),
        library.PACKAGE: said(package, r"\S+"),
    }


def fingerprint() -> str:
    """Changes when a tool or the library does, and is cheaper than asking; never fails."""
    paths = [shutil.which(name) for name in REMEDIES] + [str(library.FOLDER)]
    found = [Path(path) for path in paths if path and Path(path).exists()]
    return " ".join(f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in found)


def check() -> None:
    """A FlowError for the first tool or library file that is missing."""
    for name in REMEDIES:
        command(name)
    for kind in ("lib", "lef", "v"):
        library.file(kind)
