"""Fixtures of the accuracy tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from accuracy_case import PROGRAM, Network, make_network


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    if not PROGRAM.exists():
        pytest.fail(f"{PROGRAM}: not built; run tools/setup, or set NARROWMAC")


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return make_network(tmp_path)
