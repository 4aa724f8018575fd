"""The tables of designs and targets, checked as they are read."""

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fpga.files import FlowError

HERE = Path(__file__).resolve().parent
Row = dict[str, Any]

FABRIC_KEYS = {"name": str, "family": str, "synth": list, "dsp": list, "no_dsp": list}
TARGET_KEYS = {
    "name": str, "device": str, "fabric": str, "lut": int, "dsp": int,
    "frequency_mhz": int, "nextpnr": list,
}  # fmt: skip
DESIGN_KEYS = {
    "name": str, "module": str, "parameters": dict, "precision": str,
    "multiplier": str, "macs_per_cycle": int, "dsp": dict, "quick": list,
}  # fmt: skip
MULTIPLIERS = ("lut", "inferred", "dsp")


def _check(path: Path, kind: str, row: Row, keys: dict[str, type]) -> None:
    where = f"{path}: {kind} {row.get('name', '?')}"
    for key, type_ in keys.items():
        if not isinstance(row.get(key), type_):
            raise FlowError(where, f"{key} must be a {type_.__name__}", "mend the row")
    if unknown := row.keys() - keys.keys():
        raise FlowError(where, f"unknown key {min(unknown)}", f"known: {', '.join(keys)}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", row["name"]):
        raise FlowError(where, "not a name", "use a-z, 0-9, - and _")


def _load(path: Path) -> Row:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise FlowError(path, why, "give a readable TOML table") from None


def _by_name(path: Path, kind: str, rows: list[Row], keys: dict[str, type]) -> dict[str, Row]:
    table: dict[str, Row] = {}
    for row in rows:
        _check(path, kind, row, keys)
        if row["name"] in table:
            raise FlowError(path, f"{kind} {row['name']} appears twice", "rename one")
        table[row["name"]] = row
    return table


def load_targets(path: Path = HERE / "targets.toml") -> dict[str, Row]:
    """Targets by name, each with its fabric's row under `synthesis`."""
    data = _load(path)
    fabrics = _by_name(path, "fabric", data.get("fabric", []), FABRIC_KEYS)
    targets = _by_name(path, "target", data.get("target", []), TARGET_KEYS)
    for target in targets.values():
        target["synthesis"] = find(fabrics, [target["fabric"]], "fabric")[0]
        target["family"] = target["synthesis"]["family"]
    return targets


def load_designs(path: Path = HERE / "designs.toml") -> dict[str, Row]:
    """Designs by name, each with `hdl`, the folder its sources are found in."""
    data = _load(path)
    designs = _by_name(path, "design", data.get("design", []), DESIGN_KEYS)
    for design in designs.values():
        if design["multiplier"] not in MULTIPLIERS:
            raise FlowError(
                f"{path}: design {design['name']}",
                f"multiplier {design['multiplier']}",
                f"use one of {', '.join(MULTIPLIERS)}",
            )
        design["hdl"] = str((path.parent / data.get("hdl", ".")).resolve())
    return designs


def find(table: dict[str, Row], names: Iterable[str], kind: str) -> list[Row]:
    rows = []
    for name in names:
        if name not in table:
            near = difflib.get_close_matches(name, table, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise FlowError(f"{kind} {name}", "unknown", f"{hint}known: {', '.join(table)}")
        rows.append(table[name])
    return rows


def sources(design: Row, family: str) -> list[Path]:
    """The files a design needs: its module's, and of every module named in those.

    A file is named for its module; technology modules come from the folder `generic`, or from
    the family's own when the design asks for its DSP blocks.
    """
    hdl = Path(design["hdl"])
    technology = hdl / (family if design["multiplier"] == "dsp" else "generic")
    known = {path.stem: path for folder in (hdl, technology) for path in folder.glob("*.v")}
    if design["module"] not in known:
        raise FlowError(
            f"design {design['name']}", f"no {design['module']}.v in {hdl}", "mend the row's module"
        )
    needed: dict[str, Path] = {}
    pending = [design["module"]]
    while pending:
        module = pending.pop()
        if module not in needed:
            needed[module] = known[module]
            text = re.sub(r"//[^\n]*", "", known[module].read_text(encoding="utf-8"))
            pending += known.keys() & set(re.findall(r"\w+", text))
    return sorted(needed.values())
