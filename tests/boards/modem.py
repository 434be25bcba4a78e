"""The scripted modem behind a pty: real bytes, its own process, a life of its own.

It lives on when the board that talks to it is reset, as a modem does.
"""

import contextlib
import os
import select
import sys
import threading
import tty
from collections.abc import Iterator
from typing import Any

from tests.runtimes import ROOT

SHIMS = ROOT / "tests/shims/esp32"
sys.path.append(str(SHIMS))  # last: it holds a `network` and a `machine` too

import scripted  # noqa: E402

_POLL_S = 0.005


class PtyModem:
    """One modem at `path`. Everything that scripted.py says holds for it."""

    def __init__(self, script: dict[str, Any]) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._modem = scripted.Scripted(script)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="modem")

    @property
    def state(self) -> str:
        """Where it is: "command", "data", …"""
        with self._lock:
            return str(self._modem.state)

    @property
    def log(self) -> list[str]:
        """What it was asked."""
        with self._lock:
            return list(self._modem.log)

    def hang_up(self) -> None:
        """The network ends the connection."""
        with self._lock:
            self._modem.hang_up()

    def start(self) -> None:
        """Switch it on."""
        self._thread.start()

    def stop(self) -> None:
        """Take it away."""
        self._stopped.set()
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)

    def _serve(self) -> None:
        while not self._stopped.is_set():
            ready, _, _ = select.select([self._master], [], [], _POLL_S)
            with self._lock:
                if ready:
                    self._modem.hear(os.read(self._master, 4096))
                data = self._modem.say()
            if data:
                os.write(self._master, data)


@contextlib.contextmanager
def pty_modem(**script: Any) -> Iterator[PtyModem]:
    """A modem that runs, with this script."""
    modem = PtyModem(script)
    modem.start()
    try:
        yield modem
    finally:
        modem.stop()
