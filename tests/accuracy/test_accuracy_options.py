"""Selection of rows, other networks than the shipped ones, and the same results everywhere."""

from __future__ import annotations

import contextlib
import gzip
import json
import sqlite3
import struct
from pathlib import Path

import numpy as np
import pytest
from accuracy_case import Network, make_network, results, run


def test_float_agrees_with_numpy(network: Network) -> None:
    document = results("--data", network.write(), "--network", "seed", "--precision", "f32")
    rows = {row["layer"]: row for row in document["layers"]}
    assert list(rows) == ["strided", "depthwise", "classes"]
    for row in rows.values():
        assert row["images"] == 2
        assert row["max_abs_diff"] <= 2e-6 * row["reference_range"]
    (row,) = document["networks"]
    assert (row["images"], row["right"], row["top1"]) == (43, 43, 1.0)
    assert row["test_set"] == "shipped subset"


def test_int8_is_close_to_numpy(network: Network) -> None:
    document = results("--data", network.write(), "--network", "seed", "--precision", "w8a8")
    for row in document["layers"]:
        assert 0 < row["max_abs_diff"] <= 0.05 * row["reference_range"]
        assert row["sqnr_db"] > 25
    for row in document["networks"]:
        assert row["right"] >= 38


def test_isolated_errors_do_not_add_up(network: Network) -> None:
    arguments = ("--data", network.write(), "--network", "seed", "--precision", "w4a4")
    chained, isolated = results(*arguments), results(*arguments, "--isolated")
    for one, other in zip(chained["layers"], isolated["layers"], strict=True):
        assert (one["input"], other["input"]) == ("chained", "isolated")
        same = one["max_abs_diff"] == other["max_abs_diff"]
        assert same == (one["layer"] == "strided")
    assert chained["networks"] == isolated["networks"]


def test_selection(network: Network) -> None:
    arguments = ["--data", network.write(), "--network", "seed", "--layer", "depthwise"]
    arguments += ["--precision", "w4a4,w8a8", "--scheme", "mse,seed,group32"]
    document = results(*arguments)
    assert [(row["layer"], row["precision"], row["scheme"]) for row in document["layers"]] == [
        ("depthwise", "w4a4", "mse"),
        ("depthwise", "w4a4", "seed"),
        ("depthwise", "w4a4", "group32"),
        ("depthwise", "w8a8", "mse"),
        ("depthwise", "w8a8", "seed"),
    ]
    assert document["networks"] == []


def test_images_limits_the_classification(network: Network) -> None:
    document = results("--data", network.write(), "--network", "seed", "--images", "21")
    assert {row["images"] for row in document["networks"]} == {21}


def test_results_do_not_depend_on_tier_or_threads(network: Network) -> None:
    network.write()
    base = ["--data", network.folder, "--network", "seed", "--precision", "w8a8,w4a8,w4a4"]
    expected = results(*base, "--isa", "scalar", "--threads", "1")
    other = results(*base, "--threads", "3")
    assert other["layers"] == expected["layers"]
    assert other["networks"] == expected["networks"]


def test_tables_name_every_row(network: Network) -> None:
    text = run("--data", network.write(), "--network", "seed").stdout
    for word in ("strided", "w4a4", "group32+mse", "Top-1 over 43 test images (shipped subset)"):
        assert word in text


def test_json_file_and_tables_together(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    done = run("--data", network.write(), "--network", "seed", "--json", path)
    assert "SQNR" in done.stdout
    assert set(json.loads(path.read_text())) >= {"context", "layers", "networks"}


def test_record_adds_to_a_history(network: Network, tmp_path: Path) -> None:
    database = tmp_path / "history.db"
    arguments = ("--data", network.write(), "--network", "seed", "--precision", "f32")
    run(*arguments, "--record", database)
    with contextlib.closing(sqlite3.connect(database)) as history:
        assert history.execute("SELECT kind FROM run").fetchall() == [("accuracy",)]


def idx(values: np.ndarray) -> bytes:
    sizes = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()


@pytest.mark.parametrize("packed", [True, False])
def test_own_idx_files_come_first(tmp_path: Path, packed: bool) -> None:
    network = make_network(tmp_path, "fashion")
    images, labels = network.test["images"][:30, :, :, 0], network.test["labels"][:30]
    labels[:3] = (labels[:3] + 1) % 4
    for name, data in (
        ("t10k-images-idx3-ubyte", idx(images)),
        ("t10k-labels-idx1-ubyte", idx(labels)),
    ):
        path = network.folder / (name + ".gz" * packed)
        path.write_bytes(gzip.compress(data) if packed else data)
    document = results("--data", network.write(), "--network", "fashion", "--precision", "f32")
    (row,) = document["networks"]
    assert (row["images"], row["right"]) == (30, 27)
    assert row["test_set"] == str(network.folder)


def test_network_without_test_images(tmp_path: Path) -> None:
    network = make_network(tmp_path)
    del network.manifest["test"]
    document = results("--data", network.write(), "--network", "seed")
    assert document["networks"] == [] and len(document["layers"]) > 0
