"""Prints the asic rows of a results file: python -m fpga.asic table FILE."""

from pathlib import Path
from typing import Any

from fpga.asic.rows import Row, of_power, ratio
from fpga.files import FlowError, read_json
from fpga.results import table

OURS = (
    "osu018 (0.18 um, 1.8 V, 25 C, typical), no wires. slack ns: operands come from registers; "
    "reg-reg ns: between the design's own registers only. Power is - where the clock does not "
    "close. "
)
REPORTS = "Slack is between registers, as there; power is compared at each side's own clock."
COURSE_REPORT = Path(__file__).with_name("course_report.json")


def number(value: Any, form: str, scale: float = 1.0) -> str:
    return "-" if value is None else f"{value * scale:{form}}"


def split(watts: dict[str, float] | None) -> str:
    """internal/switching/leakage in percent of the total."""
    if watts is None:
        return "-"
    parts = (watts[name] / watts["total"] for name in ("internal", "switching", "leakage"))
    return "/".join(f"{100 * part:.1f}" for part in parts)


def group_split(groups: dict[str, Any] | None) -> str:
    """registers/logic/clock in percent of their sum."""
    if groups is None:
        return "-"
    totals = [g["total"] if isinstance(g, dict) else g for g in groups.values()]
    return "/".join(f"{100 * each / sum(totals):.0f}" for each in totals)


def main_table(rows: list[Row]) -> str:
    header = ["design", "mapping", "cells", "area um2", "clock ns", "slack ns", "reg-reg ns",
              "fastest ns", "power mW", "int/sw/leak %", "reg/logic/clk %",
              "pJ/MAC"]  # fmt: skip
    lines = [
        [row["design"], row["mapping"], row["cells"], number(row["area_um2"], ".0f"),
         number(row["clock_ns"], ".1f"), number(row["slack_ns"], ".3f"),
         number(row["slack_between_registers_ns"], ".3f"),
         number(row["fastest_clock_ns"], ".3f"), number(of_power(row), ".3f", 1e3),
         split(row["power_w"]), group_split(row["power_by_group_w"]),
         number(row["energy_per_mac_pj"]["total"], ".2f")]
        for row in rows
    ]  # fmt: skip
    return table(header, lines, left=2)


def report_table(rows: list[Row], report: dict[str, Any]) -> str:
    """The course report beside ours, each over its own 32-bit design."""
    header = ["ratio to 32-bit", "cells", "area", "power", "slack ns at 1.5 ns",
              "int/sw/leak %", "reg/logic/clk %"]  # fmt: skip
    base = next(row for row in report["rows"] if row["design"] == report["base"])
    lines: list[list[Any]] = []
    for theirs in report["rows"]:
        lines.append(
            [f"{theirs['design']}, report",
             *(number(ratio(theirs[key], base[key]), ".4f") for key in ("cells", "area_um2")),
             number(ratio(of_power(theirs), of_power(base)), ".4f"),
             number(theirs["slack_ns"], ".3f"), split(theirs["power_w"]),
             group_split(theirs["power_by_group_w"])]
        )  # fmt: skip
        ours = [row for row in rows if row["design"] == theirs["design"] and row["ratio_to_32"]]
        for powered in (row for row in ours if row["power_w"]):
            timed = next(
                (row for row in ours if row["mapping"] == powered["mapping"]
                 and row["clock_ns"] == report["clock_ns"]), powered,
            )  # fmt: skip
            ratios = powered["ratio_to_32"]
            lines.append(
                [f"{powered['design']}, {powered['mapping']}",
                 *(number(ratios[key], ".4f") for key in ("cells", "area_um2", "power_w")),
                 number(timed["slack_between_registers_ns"], ".3f"), split(powered["power_w"]),
                 group_split(powered["power_by_group_w"])]
            )  # fmt: skip
    return table(header, lines, left=1)


def render(rows: list[Row]) -> str:
    """Both tables, with what their figures mean."""
    if not rows:
        return "standard cells: no rows"
    report = read_json(COURSE_REPORT)
    tools = ", ".join(f"{name} {text}" for name, text in rows[0]["versions"].items())
    return "\n".join(
        [
            main_table(rows),
            OURS + tools + ".",
            "",
            report_table(rows, report),
            f"report: {report['library']}. " + REPORTS,
        ]
    )


def show(path: Path) -> str:
    value = read_json(path)
    rows = value.get("asic") if isinstance(value, dict) else value
    if not isinstance(rows, list):
        raise FlowError(path, "holds no asic rows", "run tools/fpga --asic")
    try:
        return render(rows)
    except (KeyError, TypeError) as error:
        raise FlowError(path, f"an asic row lacks {error}", "run tools/fpga --asic again") from None
