"""What every suite stands on: the table's rows, and programs on the real VM."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.runtimes import MICROPYTHON, ROOT

DEVICE = Path(__file__).with_name("device")
LIMIT_S = 1200  # no suite takes so long


@dataclass
class Row:
    """One line of the table, and what failed in it."""

    suite: str
    cases: int = 0
    bad: int = 0
    note: str = ""
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def check(self, right: object, why: str) -> None:
        """Count a case, and a failure unless it is right."""
        self.cases += 1
        if not right:
            self.fail(why)

    def fail(self, why: str) -> None:
        """Count a failure that belongs to no case or to one already counted."""
        self.bad += 1
        if len(self.failures) < 5:
            self.failures.append(why)


@contextmanager
def timed(suite: str) -> Iterator[Row]:
    """A row that knows how long it took."""
    row = Row(suite)
    begun = time.monotonic()
    yield row
    row.seconds = time.monotonic() - begun


def environment(**more: str) -> dict[str, str]:
    """What the VM finds the component and our scripts by."""
    return os.environ | {"MICROPYPATH": f"{ROOT}:{ROOT}/tests/device:.frozen"} | more


def program(script: str, heap: str = "8M") -> list[str]:
    """The command that runs one of our scripts with a heap of its own."""
    return [str(MICROPYTHON), "-X", f"heapsize={heap}", str(DEVICE / script)]


def on_the_vm(
    script: str,
    heap: str = "8M",
    judge: Callable[[Row, dict[str, Any]], None] | None = None,
    **job: Any,
) -> Row:
    """Run a script that reports by tests/faults/device/report.py; its row.

    `judge` is given each thing that the script says it accepted."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "job.json").write_text(json.dumps(job))
        done = subprocess.run(
            [*program(script, heap), "job.json"],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    lines = done.stdout.splitlines()
    rows = [Row(**json.loads(x[4:])) for x in lines if x.startswith("ROW ")]
    row = rows[-1] if rows else Row(script)
    row.failures = [line[4:] for line in lines if line.startswith("BAD ")]
    if done.returncode or not rows:
        row.fail((done.stdout + done.stderr)[-2000:])
    for line in lines:
        if judge and line.startswith("ACCEPTED "):
            judge(row, json.loads(line[9:]))
    row.seconds = time.monotonic() - begun
    return row
