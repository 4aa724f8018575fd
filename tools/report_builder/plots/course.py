"""The course report's Figures 14 to 16, area, slack and power at 32, 8 and 4 bits, then and today."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from report_builder.headline import COMMON_CLOCK_NS, total_power
from report_builder.inputs import Inputs, Row
from report_builder.names import colour, figure
from report_builder.plots import Figure, Table

BITS = (32, 8, 4)


def theirs(inputs: Inputs, bits: int) -> Row | None:
    return next(
        (row for row in inputs.course_asic["rows"] if row["design"] == f"mac_seed_{bits}"), None
    )


def ours(inputs: Inputs, bits: int, clock_ns: float) -> Row | None:
    found = [
        row
        for row in inputs.rows("fpga", "asic")
        if row["design"] == f"mac_seed_{bits}" and row.get("mapping", "area") == "area"
    ]
    return min(found, key=lambda row: abs(row["clock_ns"] - clock_ns), default=None)


def over_first(values: list[float | None]) -> list[float | None]:
    return [value / values[0] if value is not None and values[0] else None for value in values]


def panels(inputs: Inputs) -> list[tuple[str, list[float | None], list[float | None]]]:
    """Title, the report's, today's; area and power as ratios to 32 bits, slack in ns."""
    report_clock = inputs.course_asic.get("clock_ns", 1.5)
    then = [theirs(inputs, bits) for bits in BITS]
    now = [ours(inputs, bits, report_clock) for bits in BITS]
    slow = [ours(inputs, bits, COMMON_CLOCK_NS) for bits in BITS]

    def get(rows: list[Row | None], *keys: str) -> list[float | None]:
        return [next((row[k] for k in keys if row.get(k) is not None), None) if row else None
                for row in rows]  # fmt: skip

    return [
        (
            "Figure 14: cell area, of 32-bit",
            over_first(get(then, "area_um2")),
            over_first(get(slow, "area_um2")),
        ),
        (
            f"Figure 15: slack at {report_clock} ns, ns",
            get(then, "slack_ns"),
            get(now, "slack_between_registers_ns", "slack_ns"),
        ),
        (
            "Figure 16: power, of 32-bit",
            over_first([total_power(row) if row else None for row in then]),
            over_first([total_power(row) if row else None for row in slow]),
        ),
    ]


def bars(axes: Axes, title: str, then: list[float | None], now: list[float | None]) -> None:
    for offset, values, fill, edge in ((-0.2, then, "paper", "muted"), (0.2, now, "w8a8", "w8a8")):
        for place, value in enumerate(values):
            words = "–" if value is None else figure(value).replace("-", "−")
            axes.bar([place + offset], [value or 0], width=0.34, color=colour(fill),
                     edgecolor=colour(edge), linewidth=1.2)  # fmt: skip
            below = value is not None and value < 0
            axes.annotate(words, (place + offset, value or 0), xytext=(0, -4 if below else 3),
                          textcoords="offset points", ha="center", va="top" if below else "bottom",
                          fontsize=11, color=colour("muted"))  # fmt: skip
    axes.axhline(0, color=colour("muted"), linewidth=0.8)
    axes.set_xticks(range(len(BITS)), [f"{bits} bit" for bits in BITS])
    axes.set_title(title, loc="left", fontsize=12)
    axes.grid(axis="x", visible=False)
    axes.margins(y=0.16)


def build(inputs: Inputs) -> Figure | str:
    shown = panels(inputs)
    if not inputs.course_asic["rows"]:
        return "not run: the course report's figures are missing"
    run = any(value is not None for _, _, now in shown for value in now)

    def draw(canvas: Canvas, narrow: bool) -> None:
        shape = (3, 1) if narrow else (1, 3)
        for axes, panel in zip(canvas.subplots(*shape).flat, shown, strict=True):
            bars(axes, *panel)
        handles = [canvas.axes[0].bar([0], [0], color=colour(fill), edgecolor=colour(edge))
                   for fill, edge in (("paper", "muted"), ("w8a8", "w8a8"))]  # fmt: skip
        canvas.legend(handles, ["course report", "today" if run else "today: not run"],
                      loc="outside upper left", ncols=2, labelcolor=colour("ink"))  # fmt: skip

    table = [
        [title, f"{bits} bit", "–" if a is None else figure(a, 4),
         ("–" if run else "not run") if b is None else figure(b, 4)]
        for title, then, now in shown
        for bits, a, b in zip(BITS, then, now, strict=True)
    ]  # fmt: skip
    return Figure(
        key="course",
        title="The course report's Figures 14 to 16, and today's",
        words="Area, slack and power of the course report's MAC at 32, 8 and 4 bits: "
        + "; ".join(f"{row[0]} {row[1]}: {row[2]} then, {row[3]} today" for row in table) + ".",
        height=lambda narrow: 760 if narrow else 330,
        draw=draw,
        table=Table(["figure", "width", "course report", "today"], table),
        note=f"The report: {inputs.course_asic.get('library', 'another library')}. Today: osu018 "
        "cells, activity measured by simulation of conv1's operands. The area of the report's "
        "4-bit design cannot be read in it. Slack is register to register.",
        missing=[] if run else ["not run: standard cells (tools/fpga --asic)"],
    )  # fmt: skip
