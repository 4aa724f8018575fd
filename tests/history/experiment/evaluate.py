"""How good is narrowmac compare? False alarms and finds over the runs that collect.py took.

    evaluate.py PROGRAM FOLDER [--runs N]

Each comparison has its own N runs a side, or one. A false alarm is a comparison of A with A that
calls any row faster or slower; a find is one of A with B, 5% slower, that ends with exit status 1.
"""

import argparse
import itertools
import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SINGLE_EVERY = 5  # of the pairs of single runs: they are many


@dataclass
class Tally:
    comparisons: int = 0
    alarms: int = 0  # comparisons with a row called faster or slower
    regressions: int = 0  # comparisons with a row called slower
    rows: int = 0
    slower: int = 0
    same: int = 0

    def add(self, rows: list[dict]) -> None:
        verdicts = [row["verdict"] for row in rows]
        self.comparisons += 1
        self.alarms += "slower" in verdicts or "faster" in verdicts
        self.regressions += "slower" in verdicts
        self.rows += len(verdicts)
        self.slower += verdicts.count("slower")
        self.same += verdicts.count("same")


class Experiment:
    def __init__(self, program: Path, folder: Path, runs: int) -> None:
        self.program, self.folder, self.runs = program, folder, runs
        self.rounds = sorted(
            number
            for number in {path.name.split("-")[0] for path in folder.glob("*-*.json")}
            if all((folder / f"{number}-{side}.json").exists() for side in "abc")
        )

    def files(self, side: str, rounds: list[str]) -> list[Path]:
        return [self.folder / f"{number}-{side}.json" for number in rounds]

    def narrowmac(self, *arguments: object) -> str:
        done = subprocess.run(
            [self.program, *map(str, arguments)], capture_output=True, text=True, check=False
        )
        if done.returncode == 2:
            raise SystemExit(done.stderr)
        return done.stdout

    def compare(self, base: list[Path], new: list[Path], *options: str) -> list[dict]:
        """Through a history, as a user would."""
        with tempfile.TemporaryDirectory() as folder:
            database = Path(folder) / "h.db"
            self.narrowmac("record", database, "--label", "base", *base)
            self.narrowmac("record", database, "--label", "new", *new)
            text = self.narrowmac("compare", database, "base", "new", *options, "--json", "-")
        return json.loads(text)["rows"]

    def windows(self) -> Iterator[list[str]]:
        for start in range(0, len(self.rounds) - self.runs + 1, self.runs):
            yield self.rounds[start : start + self.runs]

    def in_turns(self, side: str) -> Tally:
        tally = Tally()
        for window in self.windows():
            tally.add(self.compare(self.files("a", window), self.files(side, window)))
        return tally

    def in_blocks(self, side: str) -> Tally:
        """All runs of one, then all of the other."""
        tally = Tally()
        windows = list(self.windows())
        for first, second in itertools.pairwise(windows):
            tally.add(self.compare(self.files("a", first), self.files(side, second)))
        return tally

    def single(self, side: str, *options: str) -> Tally:
        tally = Tally()
        for number in self.rounds[::SINGLE_EVERY]:
            pair = self.files("a", [number]), self.files(side, [number])
            tally.add(self.compare(*pair, *options))
        return tally


def share(part: int, whole: int) -> str:
    return f"{part}/{whole} ({100 * part / whole:.0f}%)" if whole else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=10, help="a side; default 10")
    options = parser.parse_args()
    experiment = Experiment(options.program.resolve(), options.folder, options.runs)
    naive = ("--metric", "real_time", "--noise", "0")
    designs = {
        f"{options.runs} runs a side, in turns": experiment.in_turns,
        f"{options.runs} runs a side, one side after the other": experiment.in_blocks,
        "one run a side": experiment.single,
        "one run a side, wall clock, no noise allowed for": lambda side: experiment.single(
            side, *naive
        ),
    }
    print(f"{len(experiment.rounds)} rounds")
    print("| design | false alarms | A/A rows called same | 5% found | rows found |")
    print("|---|---|---|---|---|")
    for name, design in designs.items():
        same, slower = design("c"), design("b")
        cells = (
            share(same.alarms, same.comparisons),
            share(same.same, same.rows),
            share(slower.regressions, slower.comparisons),
            share(slower.slower, slower.rows),
        )
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
