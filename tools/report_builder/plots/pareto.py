"""Accuracy against cost: what a step to fewer bits buys, and what it takes."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from report_builder import headline
from report_builder.inputs import Inputs, Row
from report_builder.names import BY_KEY, PRECISIONS, Precision, colour, figure, target
from report_builder.plots import Figure, Table, legend


@dataclass(frozen=True)
class Point:
    precision: Precision
    scheme: str
    quality: float
    cost: float


def measure(inputs: Inputs) -> tuple[str, str, list[Row], float]:
    """Top-1 where networks were classified, else the signal-to-noise ratio of conv2."""
    networks = inputs.rows("accuracy", "networks")
    if networks:
        return "top1", "top-1 on Fashion-MNIST, %", networks, 100
    layers = [
        row
        for row in inputs.rows("accuracy", "layers")
        if row["layer"] == "conv2"
        and row.get("input", "chained") == "chained"
        and row.get("rounding") is None
        and row["sqnr_db"] is not None
    ]
    return "sqnr_db", "signal to quantization noise of conv2, dB", layers, 1


def points(inputs: Inputs, costs: dict[str, float]) -> list[Point]:
    key, _, rows, scale = measure(inputs)
    return [
        Point(BY_KEY[row["precision"]], row["scheme"] or "", row[key] * scale,
              costs[row["precision"]])
        for row in rows
        if row["precision"] in costs and row["precision"] in BY_KEY and row[key] is not None
    ]  # fmt: skip


def front(found: list[Point], *, cheap_is_low: bool) -> list[Point]:
    """Those that no other beats both ways."""
    sign = 1 if cheap_is_low else -1
    kept, best = [], float("-inf")
    for point in sorted(found, key=lambda p: (sign * p.cost, -p.quality)):
        if point.quality > best:
            kept.append(point)
            best = point.quality
    return kept


def panel(axes: Axes, found: list[Point], label: str, *, cheap_is_low: bool, narrow: bool) -> None:
    kept = front(found, cheap_is_low=cheap_is_low)
    axes.plot([p.cost for p in kept], [p.quality for p in kept], color=colour("muted"),
              linewidth=1, linestyle=(0, (4, 3)), zorder=1)  # fmt: skip
    for precision in PRECISIONS:
        mine = [p for p in found if p.precision is precision]
        if mine:
            axes.plot([p.cost for p in mine], [p.quality for p in mine], precision.marker,
                      color=colour(precision.key), label=precision.label, linestyle="none",
                      markeredgecolor=colour("paper"), markeredgewidth=0.8)  # fmt: skip
    for point in kept:
        if point.scheme:
            axes.annotate(point.scheme, (point.cost, point.quality), xytext=(0, 8),
                          textcoords="offset points", ha="center", fontsize=11,
                          color=colour("muted"))  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel(label)
    ticks(axes, [p.cost for p in found], narrow=narrow)
    axes.margins(0.12, 0.14)


def ticks(axes: Axes, values: list[float], *, narrow: bool) -> None:
    """1, 2, 5, 10, .. in full, so that a log scale reads like any other; fewer where it is wide."""
    low, high = min(values) * 0.6, max(values) * 1.7
    few = narrow and high / low > 50
    steps = [m * 10**e for e in range(-3, 7) for m in ((1,) if few else (1, 2, 5))]
    shown = [s for s in steps if low <= s <= high]
    axes.set_xlim(low, high)
    axes.set_xticks(shown, [figure(s) for s in shown])
    axes.minorticks_off()


def hardware(inputs: Inputs) -> tuple[str, dict[str, float]]:
    """LUTs of each precision's MAC on the first target that has them."""
    for where in headline.targets(inputs):
        rows = {p.key: headline.pick(inputs.rows("fpga", "summary"), p.designs, "lut", where)
                for p in PRECISIONS}  # fmt: skip
        found = {key: row["lut"] for key, row in rows.items() if row}
        if len(found) > 1:
            return where, found
    return "", {}


def build(inputs: Inputs) -> Figure | str:
    _, quality, rows, _ = measure(inputs)
    if not rows:
        return "not run: accuracy"
    cpu = headline.cpu(inputs.timings)
    where, luts = hardware(inputs)
    sets = []
    if cpu:
        sets.append((f"GMAC/s, {cpu.suite}, {cpu.implementation}, one thread",
                     points(inputs, cpu.gmacs), False))  # fmt: skip
    if luts:
        sets.append((f"LUTs of a MAC, {target(where)}", points(inputs, luts), True))
    sets = [one for one in sets if one[1]]
    if not sets:
        return "not run: neither throughput nor hardware beside the accuracy"

    def draw(canvas: Canvas, narrow: bool) -> None:
        shape = (len(sets), 1) if narrow else (1, len(sets))
        panels = canvas.subplots(*shape, squeeze=False, sharey=not narrow).flat
        for axes, (label, found, cheap_is_low) in zip(panels, sets, strict=True):
            panel(axes, found, label, cheap_is_low=cheap_is_low, narrow=narrow)
            if narrow:
                axes.set_title(quality, fontsize=12, loc="left", color=colour("muted"))
        first = canvas.axes[0]
        if not narrow:
            first.set_ylabel(quality)
        legend(canvas, max(canvas.axes, key=lambda a: len(a.get_legend_handles_labels()[1])),
               2 if narrow else 4)  # fmt: skip

    table = [
        [p.precision.label, p.scheme or "–", figure(p.quality, 4), label, figure(p.cost)]
        for label, found, _ in sets
        for p in found
    ]
    best = "; ".join(
        f"{p.precision.label} {p.scheme}: {figure(p.quality, 4)} at {figure(p.cost)}".replace(
            "  ", " "
        )
        for p in front(sets[0][1], cheap_is_low=sets[0][2])
    )
    missing = [] if luts else ["not run: hardware, so no panel against LUTs"]
    missing += [] if cpu else ["not run: throughput, so no panel against GMAC/s"]
    return Figure(
        key="pareto",
        title="Accuracy against cost",
        words=f"Scatter of {quality} against {' and against '.join(s[0] for s in sets)}. "
        f"On the front: {best}.",
        height=lambda narrow: 340 * len(sets) if narrow else 400,
        draw=draw,
        table=Table(["precision", "scheme", quality, "cost", "value"], table),
        note="A point is a quantization scheme. The dashed line joins those that no other "
        "beats both ways.",
        missing=missing,
    )
