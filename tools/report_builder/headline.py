"""The first table: a row a precision, each figure also as a ratio to the 32-bit one."""

import math
import statistics
from dataclasses import dataclass

from report_builder.inputs import Inputs, Row, Timing
from report_builder.names import PRECISIONS, Precision, figure, ratio, target

NOT_RUN = "not run"
NONE = "no design"
NO_DSP = "none"
COMMON_CLOCK_NS = 10.0  # the clock at which the standard cell flow reports power for all designs
HEADLINE_TARGETS = ("hx8k", "up5k", "ecp5-25f-6")


@dataclass(frozen=True)
class Value:
    """A cell: what it shows, what it sorts by, where it comes from."""

    text: str
    number: float | None = None
    ratio: str = ""
    note: str = ""


@dataclass(frozen=True)
class Column:
    group: str
    title: str
    unit: str
    values: list[Value]  # in the order of PRECISIONS
    best: str  # which way is better: "low" or "high"


def column(
    group: str,
    title: str,
    unit: str,
    numbers: list[float | None],
    *,
    best: str,
    digits: int = 3,
    notes: list[str] | None = None,
    absent: list[str] | None = None,
    scale: float = 1,
    ratios: bool = True,
) -> Column:
    """Numbers by precision; ratios are to the first, which is 32-bit."""
    values = []
    for index, value in enumerate(numbers):
        if value is None:
            values.append(Value(absent[index] if absent else NOT_RUN))
            continue
        values.append(
            Value(
                text=figure(value * scale, digits),
                number=value,
                ratio=ratio(value, numbers[0]) if index and ratios else "",
                note=notes[index] if notes else "",
            )
        )
    return Column(group, title, unit, values, best)


# ---- accuracy --------------------------------------------------------------------------------


def best_layer_row(rows: list[Row], precision: Precision, layer: str) -> Row | None:
    """The scheme with the least maximum difference, outputs not requantized, inputs chained."""
    found = [
        row
        for row in rows
        if row["precision"] == precision.key
        and (row["network"], row["layer"]) == ("seed", layer)
        and row.get("input", "chained") == "chained"
        and row.get("rounding") is None
        and row["max_abs_diff"] is not None
    ]
    return min(found, key=lambda row: row["max_abs_diff"], default=None)


def best_network_row(rows: list[Row], precision: Precision) -> Row | None:
    found = [row for row in rows if row["precision"] == precision.key and row["top1"] is not None]
    return max(found, key=lambda row: row["top1"], default=None)


def accuracy_columns(inputs: Inputs) -> list[Column]:
    layers = [best_layer_row(inputs.rows("accuracy", "layers"), p, "conv2") for p in PRECISIONS]
    networks = [best_network_row(inputs.rows("accuracy", "networks"), p) for p in PRECISIONS]
    return [
        column(
            "Accuracy",
            "max diff., conv2",
            "",
            [row and row["max_abs_diff"] for row in layers],
            best="low",
        ),
        column(
            "Accuracy",
            "top-1",
            "%",
            [row and row["top1"] for row in networks],
            best="high",
            digits=4,
            scale=100,
            notes=[(row or {}).get("scheme") or "" for row in networks],
        ),
    ]


# ---- CPU -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cpu:
    """Geometric means over the layers that every precision has."""

    suite: str
    implementation: str
    layers: int
    gmacs: dict[str, float]


def cpu(timings: list[Timing]) -> Cpu | None:
    """Our fastest tier at one thread; ResNet-50 where it was run, else the first suite."""
    ours = [t for t in timings if not t.peer and t.threads == 1 and t.batch == 1]
    if not ours:
        return None
    suites = [t.suite for t in ours]
    suite = "resnet50" if "resnet50" in suites else suites[0]
    ours = [t for t in ours if t.suite == suite]
    tiers = {t.implementation for t in ours}

    def of(tier: str) -> dict[str, dict[str, float]]:
        by: dict[str, dict[str, float]] = {}
        for t in ours:
            if t.implementation == tier:
                by.setdefault(t.precision, {})[t.layer] = t.gmacs
        return by

    def common(by: dict[str, dict[str, float]]) -> set[str]:
        return set.intersection(*(set(layers) for layers in by.values()))

    def speed(tier: str) -> float:
        by = of(tier)
        return max(statistics.geometric_mean(layers.values()) for layers in by.values())

    tier = max(tiers, key=speed)
    by = of(tier)
    layers = common(by)
    if not layers:
        return None
    return Cpu(
        suite=suite,
        implementation=tier,
        layers=len(layers),
        gmacs={
            precision: math.exp(statistics.fmean(math.log(values[name]) for name in layers))
            for precision, values in by.items()
        },
    )


def cpu_columns(inputs: Inputs) -> list[Column]:
    found = cpu(inputs.timings)
    numbers = [found.gmacs.get(p.key) if found else None for p in PRECISIONS]
    return [column("CPU", "one thread", "GMAC/s", numbers, best="high")]


# ---- hardware --------------------------------------------------------------------------------


def pick(rows: list[Row], designs: tuple[str, ...], key: str, where: str = "") -> Row | None:
    """The first of the designs that was run and has the figure."""
    for design in designs:
        for row in rows:
            if (
                row["design"] == design
                and row.get("target", "") == where
                and row.get(key) is not None
            ):
                return row
    return None


def absent(rows: list[Row], designs: tuple[str, ...], where: str) -> str:
    """Why a figure is missing: no design, a failure, or not run."""
    if not designs:
        return NONE
    for row in rows:
        if row["design"] in designs and row.get("target", "") == where:
            status = str(row.get("status") or "failed")
            return NOT_RUN if status in ("ok", "not_run") else status.replace("_", " ")
    return NOT_RUN


def best_fit(rows: list[Row], precision: Precision, where: str) -> Row | None:
    found = [
        row
        for row in rows
        if row["target"] == where and row["precision"] == precision.key and row.get("gmacs")
    ]
    return max(found, key=lambda row: row["gmacs"], default=None)


def device_columns(inputs: Inputs, where: str) -> list[Column]:
    summary, fit = inputs.rows("fpga", "summary"), inputs.rows("fpga", "fit")
    group = target(where)

    without = not any(row["dsp"] for row in summary if row["target"] == where)

    def of(title: str, unit: str, key: str, best: str) -> Column:
        """Of MACs built of LUTs; where that was not run, of the one with DSP blocks, which it says.

        Then there is nothing to compare the others with.
        """
        rows = [pick(summary, p.designs, key, where) or pick(summary, p.dsp_designs, key, where)
                for p in PRECISIONS]  # fmt: skip
        return column(
            group,
            title,
            unit,
            [row and row[key] for row in rows],
            best=best,
            notes=[f"+{row['dsp']} DSPs" if row and row["dsp"] else "" for row in rows],
            absent=[absent(summary, p.designs, where) for p in PRECISIONS],
            ratios=not any(row["dsp"] for row in rows if row),
        )

    def dsps() -> Column:
        rows = [pick(summary, p.dsp_designs, "dsp", where) for p in PRECISIONS]
        return column(
            group,
            "DSPs",
            "",
            [row and row["dsp"] for row in rows],
            best="low",
            absent=[NO_DSP if without and p.designs else absent(summary, p.dsp_designs, where)
                    for p in PRECISIONS],
        )  # fmt: skip

    arrays = [best_fit(fit, p, where) for p in PRECISIONS]
    return [
        of("LUTs", "", "lut", "low"),
        dsps(),
        of("Fmax", "MHz", "fmax_mhz_median", "high"),
        column(
            group,
            "device",
            "GMAC/s",
            [row and row["gmacs"] for row in arrays],
            best="high",
            absent=[NOT_RUN if p.designs else NONE for p in PRECISIONS],
        ),
    ]


def cell_row(rows: list[Row], precision: Precision) -> Row | None:
    """Mapped for area, at the clock at which all designs' power is reported."""
    for design in precision.designs:
        found = [
            row for row in rows if row["design"] == design and row.get("mapping", "area") == "area"
        ]
        if found:
            return min(found, key=lambda row: abs(row["clock_ns"] - COMMON_CLOCK_NS))
    return None


def total_power(row: Row) -> float | None:
    power = row["power_w"]
    if not power:
        return None
    return float(power.get("total") or sum(v for v in power.values() if v is not None))


def cell_columns(inputs: Inputs) -> list[Column]:
    rows = [cell_row(inputs.rows("fpga", "asic"), p) for p in PRECISIONS]
    missing = [NOT_RUN if p.designs else NONE for p in PRECISIONS]

    def of(title: str, unit: str, numbers: list[float | None], scale: float) -> Column:
        return column("Standard cells", title, unit, numbers, best="low", absent=missing,
                      scale=scale)  # fmt: skip

    clock = next((row["clock_ns"] for row in rows if row), COMMON_CLOCK_NS)
    return [
        of("area", "µm²", [row and row["area_um2"] for row in rows], 1),
        of("power", f"µW at {figure(1000 / clock)} MHz", [row and total_power(row) for row in rows],
           1e6),
        of("energy", "pJ a MAC",
           [row and (row.get("energy_per_mac_pj") or {}).get("total") for row in rows], 1),
    ]  # fmt: skip


def targets(inputs: Inputs) -> list[str]:
    """Of all that was run, those of the quick set; before anything was run, them as well."""
    there = {
        row["target"] for section in ("summary", "fit") for row in inputs.rows("fpga", section)
    }
    return [t for t in HEADLINE_TARGETS if t in there] or sorted(there)[:3] or ["hx8k"]


def columns(inputs: Inputs) -> list[Column]:
    devices = [c for where in targets(inputs) for c in device_columns(inputs, where)]
    return [
        *accuracy_columns(inputs),
        *cpu_columns(inputs),
        *devices,
        *cell_columns(inputs),
    ]


# ---- in a sentence ---------------------------------------------------------------------------


def find(columns: list[Column], group: str, title: str) -> Column | None:
    return next((c for c in columns if c.group == group and c.title == title), None)


def times(column: Column | None, index: int) -> float | None:
    """The ratio to 32 bits."""
    if column is None:
        return None
    value, base = column.values[index].number, column.values[0].number
    return value / base if value is not None and base else None


def summary(columns: list[Column]) -> list[tuple[Precision, str]]:
    """What each narrow precision costs and buys against 32 bits, of what was run."""
    top1 = find(columns, "Accuracy", "top-1")
    speed = find(columns, "CPU", "one thread")
    luts = next((c for c in columns if c.title == "LUTs" and times(c, 1)), None)
    energy = find(columns, "Standard cells", "energy")
    told = []
    for index, precision in enumerate(PRECISIONS[1:], 1):
        parts = []
        if top1 and top1.values[index].number is not None and top1.values[0].number is not None:
            points = 100 * (top1.values[index].number - top1.values[0].number)
            digits = 1 if abs(points) >= 0.1 else 2
            signed = f"{points:+.{digits}f}".replace("-", "−")
            parts.append(f"{signed} points of top-1")
        for ratio_, words in (
            (times(speed, index), "the throughput"),
            (times(luts, index), "the LUTs"),
            (times(energy, index), "the energy"),
        ):
            if ratio_:
                parts.append(f"{figure(ratio_, 2)}× {words}")
        if parts:
            told.append((precision, ", ".join(parts)))
    return told
