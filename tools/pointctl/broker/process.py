"""A broker as a child process."""

import socket
import ssl
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from pointctl.children import Child
from pointctl.errors import PointctlError

HOST = "127.0.0.1"  # the brokers that we start are for this machine only
_START_S = 30.0
_STOP_S = 5.0


class BrokerError(PointctlError):
    """A broker cannot be started, reached or administered."""


class BrokerProcess:
    """A broker that runs `command` and serves MQTT over TLS on HOST and `port`.

    `on_line` is called, from another thread, with each line that it prints.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        port: int,
        ca_file: Path,
        login_file: Path,
        on_line: Callable[[str], None],
    ) -> None:
        self.name = name
        self.port = port
        self.login_file = login_file
        self._command = command
        self._ca_file = ca_file
        self._on_line = on_line
        self._last_lines: deque[str] = deque(maxlen=5)
        self._process: subprocess.Popen[str] | None = None
        self._reader = threading.Thread()

    @property
    def pid(self) -> int | None:
        """The id of the process; None while it is stopped."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it, and return once it accepts connections. Raises BrokerError."""
        if self._process:
            raise BrokerError(f"{self.name} is running already")
        self._process = Child[str](
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            umask=0o077,  # mosquitto rewrites the file with its accounts
        )
        self._reader = threading.Thread(
            target=self._read, args=(self._process,), daemon=True
        )
        self._reader.start()
        deadline = time.monotonic() + _START_S
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                printed = " / ".join(self._last_lines)
                raise BrokerError(f"{self.name} does not start; it printed: {printed}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it and wait until it has ended; do nothing if it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._reader.join()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        with process.stdout as lines:
            for line in lines:
                self._last_lines.append(line.rstrip("\n"))
                self._on_line(line.rstrip("\n"))

    def _accepts(self) -> bool:
        """Whether it answers, by a verified handshake, which others cannot fake."""
        context = ssl.create_default_context(cafile=self._ca_file)
        context.check_hostname = False
        try:
            with (
                socket.create_connection((HOST, self.port), timeout=1) as plain,
                context.wrap_socket(plain),
            ):
                return True
        except OSError:
            return False


def free_port() -> int:
    """Find a port that nothing listens on."""
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
