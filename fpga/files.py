"""Errors in one line, and files that are either whole or absent."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


class FlowError(Exception):
    """What the user reads: WHAT: WHY; REMEDY."""

    def __init__(self, what: object, why: object, remedy: str) -> None:
        super().__init__(f"{what}: {why}; {remedy}")


def describe(error: Exception) -> str:
    """The error as one line for the user."""
    if isinstance(error, OSError):
        what, why = error.filename or "system", error.strerror or error
        return f"fpga: {what}: {why}; check the path and the room on its disk"
    return f"fpga: {error}"


def run_job(main: Callable[[], None]) -> None:
    """Runs a job of the workflow; what goes wrong is one line on stderr."""
    try:
        main()
    except (FlowError, OSError) as error:
        sys.exit(describe(error))


def write_text(path: Path, text: str) -> None:
    """Writes a temporary file and renames it, so that a kill leaves the old file or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1) + "\n")


NO_ROOM = 64 * 1024  # bytes; less than any tool writes


def malformed(path: Path, why: object) -> FlowError:
    """For a file that does not read: on a full disk the tools leave half of one and end well."""
    if path.exists() and shutil.disk_usage(path).free < NO_ROOM:
        return FlowError(path, "no space left on its disk", "make room, then run again")
    return FlowError(path, getattr(why, "strerror", None) or why, "remove it and run again")


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise malformed(path, error) from None
