"""Throughput by layer, peers beside us, and the machine's ceilings."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from report_builder.headline import cpu
from report_builder.inputs import Inputs, Row, Timing
from report_builder.names import BY_KEY, IMPLEMENTATIONS, PRECISIONS, colour, figure
from report_builder.plots import Figure, Table, legend

PEER_MARKERS = {"onednn": "o", "xnnpack": "v"}
PIXELS_A_LAYER = 30


def shown(inputs: Inputs, suite: str) -> list[Timing]:
    """One thread, batch 1; of our tiers the fastest."""
    found = cpu(inputs.timings)
    ours = found.implementation if found else ""
    return [
        t
        for t in inputs.timings
        if t.suite == suite
        and t.threads == 1
        and t.batch == 1
        and t.precision in BY_KEY
        and (t.peer or t.implementation == ours)
    ]


def ceilings(inputs: Inputs) -> list[Row]:
    """Of our fastest tier at one thread; GMAC/s."""
    found = cpu(inputs.timings)
    context = (inputs.bench or {}).get("context", {})
    return [
        {"type": row["type"], "gmacs": row["macs_per_second"] / 1e9}
        for row in context.get("ceilings") or []
        if row.get("threads") == 1 and found and row.get("isa") == found.implementation
    ]


def label(timing: Timing) -> str:
    precision = BY_KEY[timing.precision].label
    if not timing.peer:
        return precision
    return f"{IMPLEMENTATIONS.get(timing.implementation, timing.implementation)} {precision}"


def plot(axes: Axes, rows: list[Timing], layers: list[str]) -> None:
    place = {name: len(layers) - 1 - index for index, name in enumerate(layers)}
    for name in layers:
        speeds = [t.gmacs for t in rows if t.layer == name]
        axes.plot([min(speeds), max(speeds)], [place[name]] * 2, color=colour("line"),
                  linewidth=4, solid_capstyle="round", zorder=1)  # fmt: skip
    order = [(p.key, peer) for peer in ("", *PEER_MARKERS) for p in PRECISIONS]
    for key, peer in order:
        mine = [
            t for t in rows if t.precision == key and (t.implementation if t.peer else "") == peer
        ]
        if mine:
            axes.plot([t.gmacs for t in mine], [place[t.layer] for t in mine],
                      PEER_MARKERS[peer] if peer else BY_KEY[key].marker, color=colour(key),
                      markerfacecolor=colour("paper") if peer else colour(key),
                      markeredgewidth=1.4 if peer else 0, label=label(mine[0]),
                      linestyle="none", zorder=2 if peer else 3)  # fmt: skip
    axes.set_yticks(range(len(layers)), layers[::-1])
    axes.tick_params(axis="y", labelcolor=colour("ink"))
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(0, 1.06 * max(t.gmacs for t in rows))
    axes.set_ylim(-0.7, len(layers) - 0.3)
    axes.set_xlabel("GMAC/s")


def near(rows: list[Timing], roofs: list[Row]) -> list[Row]:
    """Ceilings not far above what was reached: where memory decides they would only mislead."""
    return [roof for roof in roofs if roof["gmacs"] < 1.6 * max(t.gmacs for t in rows)]


def mark_ceilings(axes: Axes, roofs: list[Row], *, narrow: bool) -> None:
    for roof in roofs:
        axes.axvline(roof["gmacs"], color=colour("muted"), linewidth=1, linestyle=(0, (2, 3)),
                     zorder=0)  # fmt: skip
        right = roof["gmacs"] > 0.5 * axes.get_xlim()[1]  # which side of its line has room
        words = f"{roof['type']} {'' if narrow else 'ceiling '}{figure(roof['gmacs'])}"
        axes.annotate(words, (roof["gmacs"], 1),
                      xycoords=("data", "axes fraction"), xytext=(-3 if right else 3, 2),
                      textcoords="offset points", ha="right" if right else "left", va="bottom",
                      fontsize=11, color=colour("muted"))  # fmt: skip


def build(inputs: Inputs, suite: str) -> Figure | str:
    rows = shown(inputs, suite)
    layers = list(dict.fromkeys(t.layer for t in rows))
    if not layers:
        return "not run: throughput"
    roofs = near(rows, ceilings(inputs))
    kinds = len({label(t) for t in rows})

    def draw(canvas: Canvas, narrow: bool) -> None:
        axes = canvas.subplots()
        plot(axes, rows, layers)
        if roofs:
            axes.set_xlim(right=max(axes.get_xlim()[1], 1.04 * max(r["gmacs"] for r in roofs)))
        mark_ceilings(axes, roofs, narrow=narrow)
        legend(canvas, axes, 2 if narrow else 4)

    def height(narrow: bool) -> int:
        return 110 + PIXELS_A_LAYER * len(layers) + 20 * -(-kinds // (2 if narrow else 4))

    noisy = sum(t.spread > 0.05 for t in rows)
    best = max(rows, key=lambda t: t.gmacs)
    context = (inputs.bench or {}).get("context", {})
    peers = list((context.get("peers") or {}).values())
    table = [
        [t.layer, label(t), figure(t.gmacs), f"{100 * t.share:.0f} %" if t.share else "–",
         f"{1e6 * t.seconds:,.1f}", f"{100 * t.spread:.1f} %" + (" noisy" if t.spread > 0.05 else ""),
         t.kernel or "–"]
        for t in rows
    ]  # fmt: skip
    return Figure(
        key=f"throughput-{suite}",
        title=f"Throughput, suite {suite}, one thread",
        words=f"For each of {len(layers)} layers, GMAC/s at each precision. The fastest is "
        f"{best.layer} at {label(best)} with {figure(best.gmacs)} GMAC/s. "
        + " ".join(f"The {r['type']} ceiling is {figure(r['gmacs'])} GMAC/s." for r in roofs),
        height=height,
        draw=draw,
        table=Table(["layer", "by", "GMAC/s", "of the ceiling", "median µs", "spread", "kernel"],
                    table),
        note="Medians; MACs are the direct convolution's, padding taps included, so that Winograd "
        "may pass its ceiling. " + ("Dotted: the ceilings. " if roofs else "")
        + (f"Peers: {', '.join(peers)}. " if peers else "Peers: not run. ")
        + (f"{noisy} of {len(rows)} rows are noisy: their repetitions vary by more than 5%."
           if noisy else ""),
    )  # fmt: skip
