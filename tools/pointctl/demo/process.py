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
from pointctl.demo.lines import LineEvent
from pointctl.demo.timeline import Timeline

_PATIENCE_S = 60
_STOP_S = 5


class Process:
    """A context: `command` runs inside it, as `who` on the timeline.

    `read` makes the event of a line. A process that is waited for has a minute.
    """

    def __init__(
        self,
        who: str,
        command: Sequence[str | Path],
        timeline: Timeline,
        read: Callable[[str], LineEvent | None],
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
        with _signals_deferred() as signals:
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
        """End it: first by SIGTERM, then by SIGKILL. It may be called twice."""
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
                event = self._read(line.rstrip("\n"))
                if event:
                    self._timeline.add(self._who, *event)


@contextmanager
def _signals_deferred() -> Iterator[list[int]]:
    """A block that no Ctrl-C interrupts; the signals that came are in the list.

    An interrupt just after the fork would leave a process behind that nobody knows.
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
