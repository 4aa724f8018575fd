"""Counts how often each net of a value change dump changes between 0 and 1."""

from collections.abc import Iterable
from pathlib import Path

Net = tuple[str, int]  # a name in the dumped scope, a bit index counted from the low end


def header(lines: Iterable[str]) -> dict[str, tuple[int, list[str]]]:
    """Identifier code -> (width, the names that share it), up to $enddefinitions."""
    codes: dict[str, tuple[int, list[str]]] = {}
    for line in lines:
        words = line.split()
        if words[:1] == ["$var"]:
            width, code, name = int(words[2]), words[3], words[4]
            codes.setdefault(code, (width, []))[1].append(name.removeprefix("\\"))
        elif words[:1] == ["$enddefinitions"]:
            break
    return codes


def toggles(lines: Iterable[str]) -> dict[Net, int]:
    """Toggles of every net bit.

    The first value of a net is where counting starts; a change to or from x or z is none, and
    neither is what $dumpoff writes.
    """
    stream = iter(lines)
    codes = header(stream)
    state = {code: "x" * width for code, (width, _) in codes.items()}
    scalars = {code: 0 for code, (width, _) in codes.items() if width == 1}
    vectors = {code: [0] * width for code, (width, _) in codes.items() if width > 1}
    for line in stream:
        first = line[0]
        if first in "01":
            code = line[1:].rstrip()
            if state[code] != first:
                if state[code] in "01":
                    scalars[code] += 1
                state[code] = first
        elif first == "b":
            value, code = line[1:].split()
            if code in scalars:
                value = value[-1:]
            width = codes[code][0]
            value = value.rjust(width, "0" if value[0] in "01" else value[0])
            counts = vectors.get(code)
            for index, (old, new) in enumerate(zip(state[code][::-1], value[::-1], strict=True)):
                if old != new and old in "01" and new in "01":
                    if counts is None:
                        scalars[code] += 1
                    else:
                        counts[index] += 1
            state[code] = value
        elif first in "xz":
            state[line[1:].rstrip()] = first
        elif line.startswith("$dumpoff"):
            break
    found: dict[Net, int] = {}
    for code, (width, names) in codes.items():
        counts = [scalars[code]] if width == 1 else vectors[code]
        found.update(((name, i), count) for name in names for i, count in enumerate(counts))
    return found


def count(path: Path) -> dict[Net, int]:
    with path.open(encoding="ascii", errors="replace") as lines:
        return toggles(lines)
