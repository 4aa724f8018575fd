"""results.json and the printed table."""

import statistics
from pathlib import Path
from typing import Any

from fpga.files import FlowError, read_json, write_json
from fpga.plan import Plan
from fpga.tables import Row

SECTIONS = ("runs", "summary", "fit", "asic", "activity")
CELLS = ("lut", "ff", "carry", "dsp", "bram")


def missing_run(plan: Plan, target: str, design: str, seed: int) -> Row:
    """The row of a job that the machine, not the design, brought down."""
    return {
        "design": design, "target": target, "seed": seed, "status": "not_run",
        "reason": "its job ended without a result", **dict.fromkeys(CELLS),
        "fmax_mhz": None, "yosys": None, "nextpnr": None, "command": None,
    }  # fmt: skip


def current(path: Path, source: Path) -> bool:
    """Whether a result is there and no older than what it was made from."""
    return (
        path.exists() and source.exists() and path.stat().st_mtime_ns >= source.stat().st_mtime_ns
    )


def collect_runs(plan: Plan) -> list[Row]:
    rows = []
    for target, design, seed in plan.runs:
        path = plan.run_row(target, design, seed)
        synth = plan.synth_row(plan.targets[target]["fabric"], design)
        made = current(path, synth)
        row = read_json(path) if made else missing_run(plan, target, design, seed)
        row["precision"] = plan.designs[design]["precision"]
        row["device"] = plan.targets[target]["device"]
        rows.append(row)
    return rows


def collect_fit(plan: Plan) -> list[Row]:
    rows = []
    for target, design in plan.pairs:
        path = plan.fit_row(target, design)
        if current(path, plan.synth_row(plan.targets[target]["fabric"], design)):
            rows.append(read_json(path))
        else:
            keys = ("copies", "macs", "utilization", "limit", "fmax_mhz", "gmacs")
            rows.append(
                {"design": design, "target": target, "status": "not_run",
                 "reason": "its job ended without a result", **dict.fromkeys(keys)}
            )  # fmt: skip
    return rows


def summarize(runs: list[Row]) -> list[Row]:
    """A row a design and target: median and range over the seeds that routed.

    The status is the first failure's, if any seed failed; `seeds` counts those that did not.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in runs:
        groups.setdefault((row["target"], row["design"]), []).append(row)
    summary = []
    for rows in groups.values():
        failed = [row for row in rows if row["status"] != "ok"]
        fmax = [row["fmax_mhz"] for row in rows if row["fmax_mhz"] is not None]
        shown = (failed or rows)[0]
        keys = ("design", "precision", "target", "device", "status", "reason", *CELLS)
        summary.append(
            {key: shown[key] for key in keys}
            | {
                "seeds": len(fmax),
                "fmax_mhz_median": round(statistics.median(fmax), 2) if fmax else None,
                "fmax_mhz_min": min(fmax, default=None),
                "fmax_mhz_max": max(fmax, default=None),
                "yosys": shown["yosys"],
                "nextpnr": shown["nextpnr"],
            }
        )
    return summary


def write(path: Path, context: Row, sections: dict[str, list[Row]]) -> Row:
    """Writes the sections that were run and keeps the file's others."""
    old: Row = {}
    if path.exists():
        try:
            old = read_json(path)
        except FlowError:
            old = {}  # not ours, or damaged: replaced whole
    if not isinstance(old, dict):
        old = {}
    value: Row = {"context": context}
    value |= {name: sections.get(name, old.get(name, [])) for name in SECTIONS}
    write_json(path, value)
    return value


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def table(header: list[str], rows: list[list[Any]], left: int) -> str:
    """Aligned columns: the first `left` of them and a status to the left, numbers to the right."""
    lines = [header] + [[_text(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < left or header[i] == "status" else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def status(row: Row) -> str:
    return str(row["status"]) + (f": {row['reason']}" if row["reason"] else "")


def summary_table(summary: list[Row]) -> str:
    header = ["target", "design", "precision", "LUT", "FF", "carry", "DSP", "BRAM",
              "Fmax MHz", "[min..max]", "seeds", "status"]  # fmt: skip
    rows = []
    for row in summary:
        spread = "-"
        if row["seeds"]:
            spread = f"[{row['fmax_mhz_min']:.1f}..{row['fmax_mhz_max']:.1f}]"
        rows.append(
            [row["target"], row["design"], row["precision"], *(row[cell] for cell in CELLS),
             row["fmax_mhz_median"], spread, row["seeds"], status(row)]
        )  # fmt: skip
    text = table(header, rows, left=3)
    return text + "\nFmax is register to register, from nextpnr; pads are left out."


def activity_table(rows: list[Row]) -> str:
    keys = ("target", "design", "nets", "toggles_per_mac")
    lines = [[row[key] for key in keys] for row in rows]
    return table(["target", "design", "nets", "toggles/MAC"], lines, left=2) + (
        "\nSettled toggles of the FPGA netlist's nets on conv1's operands; not a power."
    )


def fit_table(fit: list[Row]) -> str:
    header = ["target", "design", "copies", "MACs", "full", "limited by", "Fmax MHz", "GMAC/s",
              "status"]  # fmt: skip
    rows = [
        [row["target"], row["design"], row["copies"], row["macs"],
         None if row["utilization"] is None else f"{100 * row['utilization']:.0f}%",
         row["limit"], row["fmax_mhz"],
         None if row["gmacs"] is None else f"{row['gmacs']:.2f}", status(row)]
        for row in fit
    ]  # fmt: skip
    return table(header, rows, left=2)
