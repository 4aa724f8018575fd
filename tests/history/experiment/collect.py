"""Takes the runs of the experiment: rounds of three, A, A again, and B, slower by a known share.

    collect.py PROGRAM FOLDER ROUNDS

Writes FOLDER/ROUND-SIDE.json. The order within a round is shuffled (seeded), so that no side
always comes first. Interrupt it when you like: whole rounds count.
"""

import argparse
import os
import random
import subprocess
from pathlib import Path

LAYERS = Path(__file__).with_name("layers.json")
SLOWER = {"a": [], "c": [], "b": ["--double-every", "20"]}  # b does 5% more work
BENCH = ["--precision", "f32,w8a8", "--threads", "1", "--repetitions", "20", "--min-time", "0.004"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rounds", type=int)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    order = random.Random(20)
    for number in range(options.rounds):
        sides = sorted(SLOWER)
        order.shuffle(sides)
        for side in sides:
            target = options.folder / f"{number:04d}-{side}.json"
            command = [options.program, "bench", "--suite", LAYERS, *BENCH, *SLOWER[side]]
            subprocess.run([*command, "--json", target], check=True, stdout=subprocess.DEVNULL)
        with (options.folder / "load.txt").open("a") as log:
            log.write(f"{number} {os.getloadavg()[0]:.2f}\n")


if __name__ == "__main__":
    main()
