"""Puts the sections into the template: one file that needs no other."""

import datetime
import re
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from markupsafe import Markup

from report_builder import headline
from report_builder.inputs import Inputs, Row
from report_builder.names import COLOURS, PRECISIONS, figure
from report_builder.plots import (
    Figure,
    course,
    hardware,
    pareto,
    roofline,
    sparkline,
    throughput,
)

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Section:
    key: str
    title: str
    lead: str
    figures: list[Figure | str] = field(default_factory=list)


def suites(inputs: Inputs) -> list[str]:
    return list(dict.fromkeys(t.suite for t in inputs.timings))


def sections(inputs: Inputs) -> list[Section]:
    """Those that are figures; the headline, the history and the method have templates."""
    speeds: list[Figure | str] = [throughput.build(inputs, suite) for suite in suites(inputs)]
    return [
        Section(
            "accuracy",
            "Accuracy against cost",
            "What a precision keeps of the network, and what it takes to run it.",
            [pareto.build(inputs)],
        ),
        Section(
            "throughput",
            "Throughput",
            "Layer by layer, on this machine: under the ceiling that it was measured to have, "
            "beside the libraries that others use.",
            [*(speeds or ["not run: throughput"]), roofline.build(inputs)],
        ),
        Section(
            "hardware",
            "On an FPGA",
            "The same arithmetic as logic cells and DSP blocks, placed and routed.",
            [hardware.resources(inputs), hardware.fmax(inputs), hardware.fit(inputs),
             hardware.activity(inputs)],
        ),
        Section(
            "course",
            "Then and today",
            "The course project that this grew from compared three MACs as standard cells.",
            [course.build(inputs)],
        ),
    ]


# ---- history ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trend:
    name: str
    metric: str
    builds: int
    latest: str
    latest_number: float
    change: str  # the newest change: "slower +5.1% at 0123456789ab"
    kind: str  # its CSS class
    size: float  # of the change, to sort by
    picture: Markup
    words: str


TIMES = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (0, "ns"))
IMPROVED = {"faster", "better"}


def amount(value: float, unit: str) -> str:
    if unit != "ns":
        return f"{figure(value, 4)} {unit}".strip()
    least, name = next(one for one in TIMES if value >= one[0])
    return f"{figure(value / (least or 1), 4)} {name}"


def trend(row: Row, index: int) -> Trend:
    points = row["points"]
    changes = [p for p in points if p["verdict"] in sparkline.MARKS]
    change, kind, size = "", "", 0.0
    if changes:
        last = changes[-1]
        size = (last["ratio"] or 1) - 1
        change = f"{last['verdict']} {100 * size:+.1f}% at {last['build']}"
        kind = "better" if last["verdict"] in IMPROVED else "worse"
    return Trend(
        name=row["name"],
        metric=row["metric"],
        builds=len(points),
        latest=amount(points[-1]["level"], row["unit"]),
        latest_number=points[-1]["level"],
        change=change,
        kind=kind,
        size=size,
        picture=Markup(sparkline.draw(points, f"trend-{index}")),
        words="; ".join(
            f"{p['build']}: {amount(p['level'], row['unit'])}"
            + (f" ({p['verdict']})" if p["verdict"] in sparkline.MARKS else "")
            for p in points
        ),
    )


TRENDS_SHOWN = 60


def trends(inputs: Inputs) -> tuple[list[Trend], int]:
    """Those with changes first, then those with most builds; and how many were left out."""
    rows = inputs.rows("history", "benchmarks")
    rows.sort(
        key=lambda row: (
            not any(p["verdict"] in sparkline.MARKS for p in row["points"]),
            row["exact"],
            -len(row["points"]),
            row["name"],
        )
    )
    return (
        [trend(row, index) for index, row in enumerate(rows[:TRENDS_SHOWN])],
        max(0, len(rows) - TRENDS_SHOWN),
    )


# ---- how it was measured ---------------------------------------------------------------------


def method(inputs: Inputs) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """A list for each document: title, command to reproduce it, facts."""
    return [
        ("Throughput", f"build/narrowmac bench --json {inputs.paths['bench']}",
         bench_facts(inputs.bench)),
        ("Accuracy", f"build/narrowmac accuracy --json {inputs.paths['accuracy']}",
         build_facts(inputs.accuracy)),
        ("Hardware", hardware_command(inputs.fpga), hardware_facts(inputs.fpga)),
    ]  # fmt: skip


def facts_of(context: Row, keys: dict[str, str]) -> list[tuple[str, str]]:
    return [(label, str(context[key])) for key, label in keys.items() if context.get(key)]


def build_facts(document: Row | None) -> list[tuple[str, str]]:
    if document is None:
        return []
    context = document.get("context") or {}
    commit = str(context.get("git_commit") or "unknown")
    commit += " with changes" if context.get("git_dirty") else ""
    return [
        ("commit", commit),
        *facts_of(
            context,
            {
                "date": "date",
                "cpu_model": "CPU",
                "num_cpus": "CPUs",
                "kernel": "kernel",
                "compiler": "compiler",
                "compiler_flags": "flags",
                "isa": "instruction set",
                "openmp_threads": "threads",
            },
        ),
    ]


def bench_facts(document: Row | None) -> list[tuple[str, str]]:
    facts = build_facts(document)
    if document is None:
        return facts
    context = document.get("context") or {}
    caches = ", ".join(
        f"L{c['level']} {c['type'].lower()} {c['size'] // 1024:,} KiB"
        for c in context.get("caches") or []
    )
    roofs = ", ".join(
        f"{row['isa']} {row['type']} {row['threads']} thread{'s' if row['threads'] > 1 else ''} "
        f"{figure(row['macs_per_second'] / 1e9)} GMAC/s (spread {100 * (row.get('cv') or 0):.1f} %)"
        for row in context.get("ceilings") or []
    )
    peers = "; ".join((context.get("peers") or {}).values())
    load = ", ".join(f"{value:.1f}" for value in context.get("load_avg") or [])
    rows = document["benchmarks"]
    repetitions = {row["repetitions"] for row in rows if row.get("repetitions")}
    return facts + [
        (label, words)
        for label, words in (
            ("caches", caches),
            ("load before", load),
            ("repetitions", ", ".join(str(r) for r in sorted(repetitions))),
            ("least time of one", f"{context['min_time']} s" if context.get("min_time") else ""),
            ("ceilings", roofs),
            ("peers", peers),
        )
        if words
    ]


def hardware_command(document: Row | None) -> str:
    return str(((document or {}).get("context") or {}).get("command") or "tools/fpga")


def hardware_facts(document: Row | None) -> list[tuple[str, str]]:
    context = (document or {}).get("context") or {}
    tools = context.get("tools") or {}
    return facts_of(context, {"date": "date", "toolchain": "toolchain", "seeds": "seeds"}) + [
        (name, str(version)) for name, version in tools.items()
    ]


# ---- the page --------------------------------------------------------------------------------


def stylesheet() -> str:
    """The colours on paper come from names.py, where the figures take them from."""
    paper = "".join(f"{name}:{value};" for name, value in COLOURS.items())
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    return f":root{{{paper}}}\n{style}"


def headline_groups(columns: list[headline.Column]) -> list[tuple[str, int]]:
    groups: list[tuple[str, int]] = []
    for column in columns:
        if groups and groups[-1][0] == column.group:
            groups[-1] = (column.group, groups[-1][1] + 1)
        else:
            groups.append((column.group, 1))
    return groups


def inline(shown: Figure) -> Markup:
    """Both sizes; the style sheet shows the one that fits."""
    wide, narrow = shown.inline(narrow=False), shown.inline(narrow=True)
    return Markup(f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>')


def one_line(text: str) -> str:
    return re.sub(r"\n\s*\n+", "\n", text)


def render(inputs: Inputs) -> tuple[str, list[Figure]]:
    """The page, and the figures that are in it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    columns = headline.columns(inputs)
    shown = sections(inputs)
    rows, left_out = trends(inputs)
    context = (inputs.bench or inputs.accuracy or {}).get("context") or {}
    page = environment.get_template("report.html.j2").render(
        style=Markup(stylesheet()),
        script=Markup((TEMPLATES / "page.js").read_text(encoding="utf-8")),
        inline=inline,
        is_figure=lambda one: isinstance(one, Figure),
        precisions=PRECISIONS,
        summary=headline.summary(columns),
        columns=columns,
        no_design=headline.NONE,
        groups=headline_groups(columns),
        cpu=headline.cpu(inputs.timings),
        sections=shown,
        trends=rows,
        left_out=left_out,
        has_history=inputs.history is not None,
        method=method(inputs),
        paths=inputs.paths,
        machine=context.get("cpu_model"),
        commit=context.get("git_commit"),
        made=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    figures = [one for section in shown for one in section.figures if isinstance(one, Figure)]
    return one_line(page), figures
