"""The FPGA side: what a design takes, how fast it closes, how much of it fits."""

import statistics
from collections.abc import Callable

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from report_builder.headline import cpu
from report_builder.inputs import Inputs, Row
from report_builder.names import BY_KEY, colour, figure, ratio, target
from report_builder.plots import Figure, Table, legend
from report_builder.plots.pareto import ticks

TARGET_MARKERS = "osD^vP"
PIXELS_A_DESIGN = 26


def count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def shade(row: Row) -> str:
    """The precision's colour; the course report's unsigned MACs have none of ours."""
    return colour(row["precision"] if row.get("precision") in BY_KEY else "muted")


def designs_of(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(row["design"] for row in rows))


def targets_of(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(row["target"] for row in rows))


def dots(rows: list[Row], key: str, label: str) -> Callable[[Canvas, bool], None]:
    """Draws a row a design, a mark a target, along a log scale."""
    designs, where = designs_of(rows), targets_of(rows)
    place = {name: len(designs) - 1 - index for index, name in enumerate(designs)}

    def draw(canvas: Canvas, narrow: bool) -> None:
        axes = canvas.subplots()
        for index, (marker, name) in enumerate(zip(TARGET_MARKERS, where, strict=False)):
            mine = [row for row in rows if row["target"] == name]
            aside = 0.6 * (0.5 - (index + 0.5) / len(where))  # equal figures do not hide each other
            axes.scatter([max(row[key], 1) for row in mine],
                         [place[row["design"]] + aside for row in mine],
                         marker=marker, s=46, c=[shade(row) for row in mine],
                         edgecolors=colour("paper"), linewidths=0.8, zorder=3)  # fmt: skip
            axes.plot([], [], marker, color=colour("muted"), label=target(name), linestyle="none")
        axes.set_xscale("log")
        ticks(axes, [max(row[key], 1) for row in rows], narrow=narrow)
        axes.set_yticks(range(len(designs)), designs[::-1])
        axes.tick_params(axis="y", labelcolor=colour("ink"))
        axes.set_ylim(-0.7, len(designs) - 0.3)
        axes.set_xlabel(label)
        legend(canvas, axes, 2 if narrow else 5)

    return draw


def dots_height(designs: list[str]) -> Callable[[bool], int]:
    return lambda narrow: 110 + PIXELS_A_DESIGN * len(designs) + (30 if narrow else 0)


SHADES = "The colour is the precision's; grey are float32 and the course report's unsigned MACs."


def resources(inputs: Inputs) -> Figure | str:
    rows = [row for row in inputs.rows("fpga", "summary") if row["lut"] is not None]
    if not rows:
        return "not run: hardware"
    designs, where = designs_of(rows), targets_of(rows)
    return Figure(
        key="resources",
        title="Resources by design and target",
        words=f"LUTs of {len(designs)} designs on {', '.join(map(target, where))}.",
        height=dots_height(designs),
        draw=dots(rows, "lut", "LUTs"),
        table=Table(
            ["design", "target", "LUT", "FF", "carry", "DSP", "BRAM"],
            [[row["design"], target(row["target"]),
              *(count(row.get(key)) for key in ("lut", "ff", "carry", "dsp", "bram"))]
             for row in rows],
        ),
        note=SHADES,
        missing=failures(inputs),
    )  # fmt: skip


def failures(inputs: Inputs) -> list[str]:
    """Designs without a figure: their reason, not a gap."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in inputs.rows("fpga", "summary"):
        if row["lut"] is None:
            why = str(row.get("reason") or str(row.get("status") or "not run").replace("_", " "))
            groups.setdefault((row["target"], why), []).append(row["design"])
    return [f"{target(where)}: {why}: {', '.join(designs)}"
            for (where, why), designs in groups.items()]  # fmt: skip


def fmax(inputs: Inputs) -> Figure | str:
    runs = [row for row in inputs.rows("fpga", "runs") if row["fmax_mhz"] is not None]
    if not runs:
        return "not run: hardware"
    designs, where = designs_of(runs), targets_of(runs)
    run_on = {name: designs_of([row for row in runs if row["target"] == name]) for name in where}

    def draw(canvas: Canvas, narrow: bool) -> None:
        """Side by side, the panels share their designs; below each other, each has its own."""
        if narrow:
            heights = [len(run_on[name]) + 2 for name in where]
            panels = canvas.subplots(len(where), 1, squeeze=False, height_ratios=heights).flat
        else:
            panels = canvas.subplots(1, len(where), squeeze=False, sharey=True).flat
        for axes, name in zip(panels, where, strict=True):
            shown = run_on[name] if narrow else designs
            place = {design: len(shown) - 1 - index for index, design in enumerate(shown)}
            for design in run_on[name]:
                mine = [row for row in runs if (row["target"], row["design"]) == (name, design)]
                speeds = [row["fmax_mhz"] for row in mine]
                axes.plot([min(speeds), max(speeds)], [place[design]] * 2, color=shade(mine[0]),
                          linewidth=2, alpha=0.35, solid_capstyle="round")  # fmt: skip
                axes.plot(speeds, [place[design]] * len(speeds), "o", color=shade(mine[0]),
                          markersize=4.5, alpha=0.55, markeredgewidth=0)  # fmt: skip
                axes.plot([statistics.median(speeds)], [place[design]], "|", color=colour("ink"),
                          markersize=13, markeredgewidth=2)  # fmt: skip
            axes.set_title(target(name), loc="left", fontsize=12)
            axes.set_xlim(left=0)
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.set_yticks(range(len(shown)), shown[::-1])
            axes.tick_params(axis="y", labelcolor=colour("ink"))
            axes.set_ylim(-0.7, len(shown) - 0.3)
            axes.set_xlabel("Fmax, MHz")

    rows = []
    for name in where:
        for design in run_on[name]:
            speeds = [row["fmax_mhz"] for row in runs
                      if (row["target"], row["design"]) == (name, design)]  # fmt: skip
            rows.append([design, target(name), str(len(speeds)), figure(min(speeds), 4),
                         figure(statistics.median(speeds), 4), figure(max(speeds), 4)])  # fmt: skip
    seeds = max(len({row["seed"] for row in runs if row["target"] == name}) for name in where)
    tall = sum(60 + PIXELS_A_DESIGN * len(run_on[name]) for name in where)
    return Figure(
        key="fmax",
        title="Fmax over seeds of placement",
        words=f"Fmax of {len(designs)} designs, up to {seeds} seeds each: every seed a dot, the "
        "median a bar.",
        height=lambda narrow: tall if narrow else 60 + PIXELS_A_DESIGN * len(designs),
        draw=draw,
        table=Table(["design", "target", "seeds", "min MHz", "median MHz", "max MHz"], rows),
        note="Register to register, from nextpnr's report; a dot is a seed, the bar the median.",
    )


def fit(inputs: Inputs) -> Figure | str:
    rows = [row for row in inputs.rows("fpga", "fit") if row.get("gmacs")]
    if not rows:
        return "not run: arrays that fill a device"
    rows = sorted(rows, key=lambda row: (row["target"], -row["gmacs"]))
    found = cpu(inputs.timings)
    of_cpu = found.gmacs if found else {}

    def draw(canvas: Canvas, narrow: bool) -> None:
        axes = canvas.subplots()
        places = [len(rows) - 1 - index for index in range(len(rows))]
        axes.barh(places, [row["gmacs"] for row in rows], height=0.62,
                  color=[shade(row) for row in rows])  # fmt: skip
        for place, row in zip(places, rows, strict=True):
            words = f"{row['macs']:,} MACs"
            if not narrow:
                words += f" at {figure(row['fmax_mhz'])} MHz"
            axes.annotate(words, (row["gmacs"], place), xytext=(5, 0), textcoords="offset points",
                          va="center", fontsize=11, color=colour("muted"))  # fmt: skip
        labels = [f"{row['design']}\n{target(row['target'])}" if narrow
                  else f"{row['design']}, {target(row['target'])}" for row in rows]  # fmt: skip
        axes.set_yticks(places, labels)
        axes.tick_params(axis="y", labelcolor=colour("ink"))
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.set_xlim(0, max(row["gmacs"] for row in rows) * (1.5 if narrow else 1.25))
        axes.set_xlabel("GMAC/s of the whole device")

    beside = ", ".join(f"{BY_KEY[key].label} {figure(value)}" for key, value in of_cpu.items()
                       if key in BY_KEY) or "not run"  # fmt: skip
    return Figure(
        key="fit",
        title="How much fits, and what it does",
        words="GMAC/s of a device filled with one design: "
        + "; ".join(f"{row['design']} on {target(row['target'])} {figure(row['gmacs'])}"
                    for row in rows) + ".",
        height=lambda narrow: 70 + (40 if narrow else 28) * len(rows),
        draw=draw,
        table=Table(
            ["design", "target", "MACs", "used", "Fmax MHz", "GMAC/s", "CPU GMAC/s", "of the CPU"],
            [[row["design"], target(row["target"]), f"{row['macs']:,}",
              f"{100 * row['utilization']:.0f} %" if row.get("utilization") else "–",
              figure(row["fmax_mhz"], 4), figure(row["gmacs"]),
              figure(of_cpu.get(row["precision"])),
              ratio(row["gmacs"], of_cpu.get(row["precision"])) or "–"] for row in rows],
        ),
        note=f"Arrays grown until the device no longer routes. The CPU beside, GMAC/s at one "
        f"thread: {beside}.",
    )  # fmt: skip


def activity(inputs: Inputs) -> Figure | str:
    rows = inputs.rows("fpga", "activity")
    if not rows:
        return "not run: toggles per MAC (tools/fpga --asic)"
    designs, where = designs_of(rows), targets_of(rows)
    return Figure(
        key="activity",
        title="Toggles per MAC",
        words=f"Toggles per MAC of {len(designs)} designs on {', '.join(map(target, where))}.",
        height=dots_height(designs),
        draw=dots(rows, "toggles_per_mac", "toggles of all nets, per MAC"),
        table=Table(
            ["design", "target", "nets", "toggles per MAC"],
            [[row["design"], target(row["target"]), count(row.get("nets")),
              figure(row["toggles_per_mac"], 4)] for row in rows],
        ),
        note="How often the nets of the netlist, built of LUTs, change for one MAC of conv1, "
        "without glitches. This is no power, for which no open model of these devices exists. "
        + SHADES,
    )  # fmt: skip
