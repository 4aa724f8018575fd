"""The program under test, in a folder of its own."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = Path(os.environ.get("NARROWMAC", ROOT / "build" / "narrowmac")).resolve()


class Program:
    """narrowmac in a folder of its own; status None takes any. A failure leaves no file behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = PROGRAM

    def __call__(
        self, *arguments: object, status: int | None = 0, **options: object
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.program, *map(str, arguments)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        assert status in (None, done.returncode), (done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *arguments: object, **options: object) -> dict:
        return json.loads(self(*arguments, "--json", "-", **options).stdout)

    def file(self, name: str, document: object) -> str:
        (self.folder / name).write_text(json.dumps(document))
        return name

    def files(self) -> list[Path]:
        return sorted(self.folder.iterdir())

    def error(self, *arguments: object, **options: object) -> str:
        """Bad input: exit status 2, nothing on stdout, one line "WHAT: WHY; REMEDY"."""
        before = self.files()
        done = self(*arguments, status=2, **options)
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert len(lines) == 1 and lines[0].startswith("narrowmac: "), done.stderr
        message = lines[0].removeprefix("narrowmac: ")
        what, _, why = message.partition(": ")
        assert what and why.partition("; ")[2], message
        assert self.files() == before, "a failed command left a file"
        return message
