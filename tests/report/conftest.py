"""Measured results to build the report from, and a headless browser to look at it."""

import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("NARROWMAC", ROOT / "build" / "narrowmac")).resolve()
PRECISIONS = ("f32", "w8a8", "w4a8", "w4a4")
LAYERS = {"res2_3x3": 115605504, "res4_1x1": 51380224, "res5_3x3": 115605504}


def context() -> dict:
    return {
        "date": "2026-03-01T12:00:00+00:00",
        "num_cpus": 2,
        "caches": [{"type": "Data", "level": 1, "size": 32768, "num_sharing": 1}],
        "cpu_model": 'Test CPU <&">',
        "machine": "x86_64",
        "git_commit": "aaaa00001111",
        "git_dirty": False,
        "compiler": "gcc 12.2.0",
        "compiler_flags": "-O3",
        "isa": "avx2",
        "load_avg": [0.5, 0.4, 0.3],
    }


def bench(random_: random.Random) -> dict:
    """Three layers, all precisions, one peer, five repetitions."""
    speeds = {"f32": 100, "w8a8": 400, "w4a8": 380, "w4a4": 700}
    rows = []
    for layer, macs in LAYERS.items():
        for precision, implementation in [(p, "avx2") for p in PRECISIONS] + [("w8a8", "onednn")]:
            for index in range(5):
                speed = speeds[precision] * random_.uniform(0.9, 1.0)
                name = f"resnet50.{layer}/{precision}/{implementation}/threads:1"
                rows.append(
                    {
                        "name": name,
                        "run_name": name,
                        "run_type": "iteration",
                        "repetition_index": index,
                        "repetitions": 5,
                        "threads": 1,
                        "suite": "resnet50",
                        "layer": layer,
                        "precision": precision,
                        "implementation": implementation,
                        "batch": 1,
                        "iterations": 10,
                        "real_time": macs / speed,
                        "cpu_time": macs / speed,
                        "time_unit": "ns",
                        "label": "kernel",
                        "macs": macs,
                        "ceiling_macs_per_second": 5e11,
                        "weight_bytes": 40000,
                        "copies": 1,
                    }
                )
    ceilings = [
        {"isa": "avx2", "type": kind, "threads": 1, "macs_per_second": rate, "cv": 0.01}
        for kind, rate in (("f32", 1.2e11), ("int8", 5e11))
    ]
    whole = context() | {
        "ceilings": ceilings,
        "peers": {"onednn": "oneDNN 2.6.3"},
        "min_time": 0.01,
    }
    return {"context": whole, "benchmarks": rows}


SCHEMES = ("seed", "per-channel", "mse")


def accuracy() -> dict:
    layers, networks = [], []
    for number, precision in enumerate(PRECISIONS):
        for step, scheme in enumerate(SCHEMES if number else (None,)):
            networks.append(
                {
                    "network": "fashion",
                    "precision": precision,
                    "scheme": scheme,
                    "images": 10000,
                    "top1": 0.93 - 0.01 * number * (3 - step),
                }
            )
            for layer in ("conv1", "conv2"):
                layers.append(
                    {
                        "network": "seed",
                        "layer": layer,
                        "input": "chained",
                        "precision": precision,
                        "scheme": scheme,
                        "rounding": None,
                        "max_abs_diff": 1e-6 if not number else 0.3 * number / (step + 1),
                        "sum_abs_diff": 1.0,
                        "mean_abs_diff": 0.1,
                        "sqnr_db": 130 - 30 * number + step,
                        "tflite_mismatches": None,
                    }
                )
    return {"context": context(), "layers": layers, "networks": networks}


def fpga(random_: random.Random) -> dict:
    designs = {
        "mac_seed_32": ("u32", 1467, 68),
        "mac_seed_8": ("u8", 101, 138),
        "mac_seed_4": ("u4", 30, 184),
        "mac_f32": ("f32", 1620, 55),
        "mac_s8": ("w8a8", 140, 120),
        "mac_s4": ("w4a4", 60, 150),
    }
    runs, summary, fit, asic, activity = [], [], [], [], []
    for (target, factor), (design, (precision, lut, speed)) in itertools.product(
        (("hx8k", 1.0), ("ecp5-25f-6", 1.9)), designs.items()
    ):
        fmax = [round(speed * factor * random_.uniform(0.9, 1.1), 2) for _ in range(5)]
        cells = {"lut": lut, "ff": 70, "carry": 40, "dsp": 0, "bram": 0}
        if (target, design) == ("ecp5-25f-6", "mac_f32"):
            design, cells["dsp"] = "mac_f32_inferred", 4
        common = {"design": design, "precision": precision, "target": target, "device": target}
        runs += [
            common | cells | {"seed": seed, "status": "ok", "fmax_mhz": value}
            for seed, value in enumerate(fmax)
        ]
        summary.append(
            common
            | cells
            | {
                "status": "ok",
                "reason": None,
                "seeds": 5,
                "fmax_mhz_median": sorted(fmax)[2],
                "fmax_mhz_min": min(fmax),
                "fmax_mhz_max": max(fmax),
            }
        )
        activity.append(common | {"nets": 2 * lut, "toggles_per_mac": round(lut * 0.7, 3)})
        if precision in PRECISIONS:
            macs = 7680 // lut
            fit.append(common | {"macs": macs, "utilization": 0.97, "fmax_mhz": min(fmax),
                                 "gmacs": round(macs * min(fmax) / 1000, 3)})  # fmt: skip
    summary.append(
        {"design": "mac_s8_dsp", "precision": "w8a8", "target": "ecp5-25f-6", "device": "ecp5-25f-6",
         "status": "synthesis_failed", "reason": "x.v:3: error", "lut": None, "dsp": None,
         "fmax_mhz_median": None}
    )  # fmt: skip
    for design, (precision, lut, _) in designs.items():
        for clock in (1.5, 10.0):
            power = {"internal": lut * 1e-6, "switching": lut * 5e-7, "leakage": 1e-9}
            asic.append(
                {
                    "design": design,
                    "precision": precision,
                    "mapping": "area",
                    "cells": lut * 2,
                    "area_um2": lut * 80.0,
                    "clock_ns": clock,
                    "slack_ns": clock - 7,
                    "slack_between_registers_ns": clock - 6.5,
                    "power_w": power if clock == 10 else None,
                    "energy_per_mac_pj": {"total": lut / 30},
                }
            )
    whole = {"command": "tools/fpga --asic", "toolchain": "yowasp", "tools": {"yosys": "0.70"}}
    sections = {"runs": runs, "summary": summary, "fit": fit, "asic": asic, "activity": activity}
    return {"context": whole} | sections


def history_runs(random_: random.Random) -> list[dict]:
    """Three builds of eight runs, taken in turns; the last is 20% slower."""
    documents = []
    for number, (build, level) in itertools.product(
        range(8), ((f"{1:x}" * 12, 1.0), (f"{2:x}" * 12, 1.0), (f"{3:x}" * 12, 1.2))
    ):
        time = 100 * level * random_.uniform(1, 1.004)
        whole = context() | {
            "git_commit": build,
            "date": f"2026-03-01T12:{number:02d}:{build[0]}0Z",
        }
        row = {"name": "seed.conv1/f32/avx2/threads:1", "run_type": "iteration", "threads": 1,
               "real_time": time, "cpu_time": time, "time_unit": "us"}  # fmt: skip
        documents.append({"context": whole, "benchmarks": [row]})
    return documents


class Report:
    """tools/report in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        random_ = random.Random(5)
        self.documents = {"bench": bench(random_), "accuracy": accuracy(), "fpga": fpga(random_)}
        self.runs = history_runs(random_)

    def write(self) -> None:
        for name, document in self.documents.items():
            (self.folder / f"{name}.json").write_text(json.dumps(document))
        files = []
        for index, document in enumerate(self.runs):
            files.append(self.folder / f"run{index}.json")
            files[-1].write_text(json.dumps(document))
        if files:
            record = [PROGRAM, "record", self.folder / "history.db", *files]
            subprocess.run(record, check=True, capture_output=True)

    def build(self, *extra: object) -> subprocess.CompletedProcess[str]:
        options = []
        for name in ("bench", "accuracy", "fpga"):
            options += [f"--{name}", self.folder / f"{name}.json"]
        options += ["--history", self.folder / "history.db", "--program", PROGRAM]
        options += ["--output", self.folder / "report", *extra]
        return subprocess.run(
            [ROOT / "tools" / "report", *options],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"NARROWMAC_PYTHON": sys.executable},
        )

    @property
    def page(self) -> Path:
        return self.folder / "report" / "index.html"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Everything was run."""
    report = Report(tmp_path_factory.mktemp("report"))
    report.write()
    done = report.build()
    assert done.returncode == 0, done.stderr
    return report


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return Report(tmp_path)


class Browser:
    """Chromium without a window, that logs what it asks for."""

    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))

    def open(self, page: Path, *, width: int = 1280, scheme: str = "light") -> None:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(page.as_uri())

    def requests(self) -> list[str]:
        messages = [json.loads(one["message"])["message"]
                    for one in self.driver.get_log("performance")]  # fmt: skip
        return [m["params"]["request"]["url"] for m in messages
                if m["method"] == "Network.requestWillBeSent"]  # fmt: skip

    def run(self, script: str, *arguments: object) -> object:
        return self.driver.execute_script(script, *arguments)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.driver.quit()
