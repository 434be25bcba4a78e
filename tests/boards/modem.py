"""The scripted modem behind a pty, which exchanges real bytes.

It goes on when the board that talks to it is reset, as a modem does.
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
sys.path.append(str(SHIMS))  # last: it contains a `network` and a `machine`, too

import scripted  # noqa: E402

_POLL_S = 0.005


class PtyModem:
    """One modem at `path`, which behaves as scripted.py says."""

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
        """Its state: "command", "data", …"""
        with self._lock:
            return str(self._modem.state)

    @property
    def log(self) -> list[str]:
        """The commands that it received."""
        with self._lock:
            return list(self._modem.log)

    def hang_up(self) -> None:
        """End the connection from the network's side."""
        with self._lock:
            self._modem.hang_up()

    def start(self) -> None:
        """Switch the modem on."""
        self._thread.start()

    def stop(self) -> None:
        """Remove the modem."""
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
    """Run a modem with this script."""
    modem = PtyModem(script)
    modem.start()
    try:
        yield modem
    finally:
        modem.stop()
