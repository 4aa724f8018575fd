"""The roofline: what arithmetic and memory allow, and where each layer lies under it."""

import json

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from report_builder.headline import cpu
from report_builder.inputs import ROOT, Inputs, Row, Timing
from report_builder.names import BY_KEY, PRECISIONS, colour, figure
from report_builder.plots import Figure, Table, legend
from report_builder.plots.pareto import ticks
from report_builder.plots.throughput import ceilings

# Bytes of an activation, in and out: int4 layers take packed nibbles and give bytes.
ACTIVATION_BYTES = {"f32": (4.0, 4.0), "w8a8": (1.0, 1.0), "w4a8": (1.0, 1.0), "w4a4": (0.5, 1.0)}


def shapes(suite: str) -> dict[str, Row]:
    """Layers of a suite that ships with the program; {} for a user's own."""
    path = ROOT / "bench" / "suites" / f"{suite}.json"
    if not path.exists():
        return {}
    return {layer["name"]: layer for layer in json.loads(path.read_text())["layers"]}


def output_values(layer: Row) -> float:
    height, width, _ = layer["input"]
    top, left, bottom, right = layer.get("padding", (0, 0, 0, 0))
    stride, dilation = layer.get("stride", (1, 1)), layer.get("dilation", (1, 1))
    rows = (height + top + bottom - dilation[0] * (layer["kernel"][0] - 1) - 1) // stride[0] + 1
    columns = (width + left + right - dilation[1] * (layer["kernel"][1] - 1) - 1) // stride[1] + 1
    return float(rows * columns * layer["out_channels"])


def intensity(timing: Timing, layer: Row) -> float | None:
    """MACs for each byte of weights, input and output, each counted once."""
    if timing.precision not in ACTIVATION_BYTES or not timing.weight_bytes:
        return None
    height, width, channels = layer["input"]
    into, out = ACTIVATION_BYTES[timing.precision]
    moved = timing.weight_bytes + into * height * width * channels + out * output_values(layer)
    return timing.macs / moved


def memory_slope(inputs: Inputs) -> float | None:
    """Bytes a second: the fastest that weights were streamed from memory at one thread."""
    rates = [
        t.weight_bytes / t.seconds
        for t in inputs.timings
        if t.streamed and t.weight_bytes and t.threads == 1 and not t.peer
    ]
    return max(rates, default=None)


def located(inputs: Inputs) -> list[tuple[Timing, float]]:
    found = cpu(inputs.timings)
    places = []
    for t in inputs.timings:
        layer = shapes(t.suite).get(t.layer)
        ours = found and t.implementation == found.implementation
        if layer and ours and t.threads == 1 and t.batch == 1 and not t.streamed:
            place = intensity(t, layer)
            if place:
                places.append((t, place))
    return places


def roofs(axes: Axes, inputs: Inputs, low: float, high: float) -> None:
    slope = memory_slope(inputs)
    for row in ceilings(inputs):
        ridge = row["gmacs"] * 1e9 / slope if slope else low
        start = max(low, ridge)
        axes.plot([start, high], [row["gmacs"]] * 2, color=colour("muted"), linewidth=1.2)
        axes.annotate(f"{row['type']} ceiling, {figure(row['gmacs'])} GMAC/s",
                      (high, row["gmacs"]), xytext=(0, 3), textcoords="offset points",
                      ha="right", va="bottom", fontsize=11, color=colour("muted"))  # fmt: skip
    if slope:
        top = max((row["gmacs"] for row in ceilings(inputs)), default=1.0) * 1e9
        ends = [low, min(high, top / slope)]
        axes.plot(ends, [slope * x / 1e9 for x in ends], color=colour("muted"), linewidth=1.2)
        axes.annotate(f"memory, {figure(slope / 1e9)} GB/s", (ends[0], slope * ends[0] / 1e9),
                      xytext=(6, -2), textcoords="offset points", va="top", fontsize=11,
                      color=colour("muted"))  # fmt: skip


def build(inputs: Inputs) -> Figure | str:
    places = located(inputs)
    if not places or not ceilings(inputs):
        return "not run: throughput of a suite whose shapes are known, with its ceilings"
    low = min(x for _, x in places) / 2
    high = max(x for _, x in places) * 2

    def draw(canvas: Canvas, narrow: bool) -> None:
        axes = canvas.subplots()
        for precision in PRECISIONS:
            mine = [(t, x) for t, x in places if t.precision == precision.key]
            if mine:
                axes.plot([x for _, x in mine], [t.gmacs for t, _ in mine], precision.marker,
                          color=colour(precision.key), label=precision.label, linestyle="none",
                          markeredgecolor=colour("paper"), markeredgewidth=0.8,
                          zorder=3)  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        ticks(axes, [x for _, x in places], narrow=narrow)
        speeds = [t.gmacs for t, _ in places] + [row["gmacs"] for row in ceilings(inputs)]
        steps = [m * 10**e for e in range(-3, 5) for m in (1, 2, 5)]
        bottom, top = min(speeds) * 0.6, max(speeds) * 1.5
        shown = [s for s in steps if bottom <= s <= top]
        axes.set_yticks(shown, [figure(s) for s in shown])
        axes.minorticks_off()
        roofs(axes, inputs, low, high)
        axes.set_xlim(low, high)
        axes.set_ylim(bottom, top)
        axes.set_xlabel("MACs for each byte of weights, input and output")
        axes.set_ylabel("GMAC/s")
        legend(canvas, axes, 2 if narrow else 4)

    slope = memory_slope(inputs)
    return Figure(
        key="roofline",
        title="Roofline",
        words=f"{len(places)} layers by arithmetic intensity and speed, under "
        + " and ".join(f"the {row['type']} ceiling of {figure(row['gmacs'])} GMAC/s"
                       for row in ceilings(inputs)) + ".",
        height=lambda narrow: 400 if narrow else 430,
        draw=draw,
        table=Table(
            ["layer", "precision", "MAC/byte", "GMAC/s"],
            [[f"{t.suite}.{t.layer}", BY_KEY[t.precision].label, figure(x), figure(t.gmacs)]
             for t, x in places],
        ),
        note="Ceilings were measured in the same run, on registers. "
        + ("The slope is the fastest that weights were streamed from memory (suite cold)."
           if slope else "The slope of memory is not run: it needs suite cold."),
    )  # fmt: skip
