"""Figures: drawn by matplotlib, coloured by the page's style sheet, each with words and a table."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from report_builder.names import COLOURS, colour

WIDE, NARROW = 1080, 330  # CSS pixels: a laptop's column, a phone's
PIXELS_PER_INCH = 72  # so that a point of type is a pixel of the page

mpl.rcParams.update(
    {
        "svg.fonttype": "none",  # words stay words: found, zoomed and read aloud
        "font.family": "DejaVu Sans",
        "font.size": 12,
        "axes.titlesize": 13,
        "axes.labelsize": 12,
        "axes.edgecolor": colour("line"),
        "axes.labelcolor": colour("muted"),
        "axes.titlecolor": colour("ink"),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": colour("line"),
        "grid.linewidth": 0.8,
        "text.color": colour("ink"),
        "xtick.color": colour("muted"),
        "ytick.color": colour("muted"),
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "xtick.minor.size": 0,
        "ytick.minor.size": 0,
        "legend.frameon": False,
        "lines.markersize": 7,
        "lines.linewidth": 1.6,
    }
)


@dataclass(frozen=True)
class Table:
    """The figure's data: the alternative for who cannot see it, and for who wants the digits."""

    head: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Figure:
    key: str  # file stem and element id
    title: str
    words: str  # what the picture shows, for a screen reader
    height: Callable[[bool], int]  # in pixels; the argument is whether it is narrow
    draw: Callable[[Canvas, bool], None]
    table: Table
    note: str = ""
    missing: list[str] = field(default_factory=list)

    def canvas(self, *, narrow: bool) -> Canvas:
        width = NARROW if narrow else WIDE
        size = (width / PIXELS_PER_INCH, self.height(narrow) / PIXELS_PER_INCH)
        canvas = Canvas(figsize=size, layout="constrained")
        canvas.get_layout_engine().set(w_pad=0.02, h_pad=0.04)
        self.draw(canvas, narrow)
        return canvas

    def inline(self, *, narrow: bool) -> str:
        key = f"{self.key}-{'narrow' if narrow else 'wide'}"
        return inline_svg(self.canvas(narrow=narrow), key, self.words)

    def save(self, folder: Path) -> None:
        """For a README: light colours, on paper."""
        canvas = self.canvas(narrow=False)
        canvas.set_facecolor(colour("paper"))
        for ending in ("svg", "png"):
            with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": self.key}):
                metadata = {"Date": None} if ending == "svg" else None
                canvas.savefig(folder / f"{self.key}.{ending}", dpi=144, metadata=metadata)


def inline_svg(canvas: Canvas, key: str, words: str, *, decorative: bool = False) -> str:
    """SVG for the page: ids of its own, colours by name, no fixed size."""
    text = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": key}):
        canvas.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{key}-', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\1{key}-", svg)
    svg = re.sub(r"(font: [\d.]+px) '[^']*'[^;\"]*", r"\1 var(--type)", svg)
    for name, value in COLOURS.items():
        svg = svg.replace(value, f"var({name})")
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    width, height = (round(float(part)) for part in size.groups()) if size else (0, 0)
    spoken = 'aria-hidden="true"' if decorative else f'role="img" aria-label="{escape(words)}"'
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" {spoken}>'
    )
    return opening + re.sub(r"^<svg[^>]*>", "", svg, count=1).strip()


def escape(words: str) -> str:
    return words.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def legend(canvas: Canvas, axes: Axes, columns: int) -> None:
    """Above the picture, once a label."""
    handles, labels = axes.get_legend_handles_labels()
    seen = dict(zip(labels, handles, strict=True))
    canvas.legend(
        seen.values(),
        seen.keys(),
        loc="outside upper left",
        ncols=columns,
        handletextpad=0.3,
        columnspacing=1.2,
        fontsize=12,
        labelcolor=colour("ink"),
    )
