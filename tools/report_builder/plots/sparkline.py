"""A benchmark over builds, as small as a line of text, its changes marked."""

from matplotlib.figure import Figure as Canvas

from report_builder.inputs import Row
from report_builder.names import colour
from report_builder.plots import PIXELS_PER_INCH, inline_svg

WIDTH, HEIGHT = 220, 40
MARKS = {"slower": ("^", "worse"), "worse": ("v", "worse"), "faster": ("v", "better"),
         "better": ("^", "better")}  # fmt: skip


def draw(points: list[Row], key: str) -> str:
    canvas = Canvas(figsize=(WIDTH / PIXELS_PER_INCH, HEIGHT / PIXELS_PER_INCH))
    axes = canvas.add_axes((0.03, 0.14, 0.94, 0.72))
    axes.axis("off")
    levels = [point["level"] for point in points]
    axes.plot(range(len(levels)), levels, color=colour("muted"), linewidth=1.3,
              marker="o" if len(levels) == 1 else None, markersize=4)  # fmt: skip
    for index, point in enumerate(points):
        if point["verdict"] in MARKS:
            marker, shade = MARKS[point["verdict"]]
            axes.plot([index], [point["level"]], marker, color=colour(shade), markersize=8)
    # A change of 1% shall not look like a cliff.
    middle, spread = (max(levels) + min(levels)) / 2, max(levels) - min(levels)
    half = max(spread, 0.1 * abs(middle)) * 0.6
    axes.set_ylim(middle - half or -1, middle + half or 1)
    axes.set_xlim(-0.5, max(len(levels) - 0.5, 0.5))
    return inline_svg(canvas, key, "", decorative=True)
