"""A program of the demo: its lines go to the timeline, and it ends with the demo."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from pointctl.children import Child
from pointctl.demo.lines import Said
from pointctl.demo.timeline import Timeline

_PATIENCE_S = 60
_STOP_S = 5


class Process:
    """A context: `command` runs inside it, as `who` on the timeline.

    `read` says what to show of a line. What runs has a minute for what is waited for.
    """

    def __init__(
        self,
        who: str,
        command: Sequence[str | Path],
        timeline: Timeline,
        read: Callable[[str], Said],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._who = who
        self._command = command
        self._timeline = timeline
        self._read = read
        self._cwd = cwd
        self._environment = {**os.environ, **(environment or {})}

    def __enter__(self) -> Self:
        with _undisturbed() as signals:
            self._start()
        if signals:
            self.stop()  # nobody else could: the block was not entered
            signal.raise_signal(signals[0])
        return self

    def _start(self) -> None:
        self._deadline = time.monotonic() + _PATIENCE_S
        self._process = Child[str](
            self._command,
            cwd=self._cwd,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is the demo's to handle
        )
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def alive(self) -> bool:
        """True while it is worth waiting for this process."""
        return self._process.poll() is None and time.monotonic() < self._deadline

    def stop(self) -> None:
        """Ask it to end, and see that it does. Once is enough, twice does no harm."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _follow(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                said = self._read(line.rstrip("\n"))
                if said:
                    self._timeline.add(self._who, *said)


@contextmanager
def _undisturbed() -> Iterator[list[int]]:
    """A block that no Ctrl-C interrupts; what came meanwhile is in the list.

    Between the fork and the first line that knows of it a process would be left behind.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came  # signals go to the main thread alone
        return
    kept = {
        number: signal.signal(number, lambda number, _frame: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield came
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
