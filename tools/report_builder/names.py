"""What things are called on the page, and the colour that each precision has throughout."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Precision:
    key: str
    label: str
    marker: str  # so that colour is never the only sign
    designs: tuple[str, ...]  # its MAC built of LUTs; the first that was run
    dsp_designs: tuple[str, ...]  # the same with a DSP block


PRECISIONS = (
    Precision("f32", "float32", "o", ("mac_f32",), ("mac_f32_inferred",)),
    Precision("w8a8", "int8 × int8", "s", ("mac_s8",), ("mac_s8_dsp", "mac_s8_inferred")),
    Precision("w4a8", "int4 × int8", "^", (), ()),
    Precision("w4a4", "int4 × int4", "D", ("mac_s4",), ("mac_s4_dsp",)),
)
BY_KEY = {precision.key: precision for precision in PRECISIONS}

# Name of the style sheet's variable: its value on paper. Values must differ from each other.
COLOURS = {
    "--ink": "#1c2026",
    "--muted": "#626b77",
    "--line": "#dfe3e8",
    "--f32": "#5c6773",
    "--w8a8": "#2367a8",
    "--w4a8": "#1f8a70",
    "--w4a4": "#c2571a",
    "--worse": "#b42330",
    "--better": "#1b7f3b",
    "--paper": "#ffffff",
}


def colour(name: str) -> str:
    return COLOURS[f"--{name}"]


IMPLEMENTATIONS = {"onednn": "oneDNN", "xnnpack": "XNNPACK"}
TARGETS = {
    "hx8k": "iCE40 HX8K",
    "up5k": "iCE40 UP5K",
    "ecp5-25f-6": "ECP5 25F-6",
    "ecp5-25f-8": "ECP5 25F-8",
    "ecp5-85f-6": "ECP5 85F-6",
    "ecp5-85f-8": "ECP5 85F-8",
}


def target(key: str) -> str:
    return TARGETS.get(key, key)


def figure(value: float | None, digits: int = 3) -> str:
    """To so many significant digits, without an exponent where that is readable."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    if abs(value) < 1e-4:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{digits}g}"


def ratio(value: float | None, base: float | None) -> str:
    """ "0.21×", "" where there is nothing to divide."""
    if not value or not base:
        return ""
    digits = 4 if 0.9 < value / base < 1.1 else 3
    return f"{value / base:.{digits}g}×" if value / base < 1000 else f"{value / base:,.0f}×"
