"""What suites share."""

from pathlib import Path

import pytest
from program import PROGRAM, Program


@pytest.fixture
def narrowmac(tmp_path: Path) -> Program:
    if not PROGRAM.exists():
        pytest.fail(f"{PROGRAM}: not built; run tools/setup, or set NARROWMAC")
    return Program(tmp_path)
