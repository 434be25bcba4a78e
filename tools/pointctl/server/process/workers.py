"""Several processes that serve one port: one that dies is replaced, all end together.

Each has a listening socket of its own, and the system shares the boards out among them.
They hold nothing in memory that another would need to know.
"""

import dataclasses
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import NoReturn

import structlog

from pointctl import logs
from pointctl.children import end_with_parent
from pointctl.errors import PointctlError
from pointctl.registry.opening import open_registry
from pointctl.server import metrics
from pointctl.server.process.serve import Settings, serve
from pointctl.web.serving import GRACE_S, listen, say_ready
from pointctl.web.tls import Certificate

_START_S = 60  # until a process has to be ready
_END_S = GRACE_S + 3  # until a process that was told to end is killed
_BETWEEN_S = 1  # at least, between two starts of a process

_spawn = multiprocessing.get_context("spawn")
_log = structlog.get_logger()


class _Worker:
    """One process and its listening socket, which outlives it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.listener = listen(settings.host, settings.port, share=True)
        self.start()

    def start(self) -> None:
        """Start the process, also in the place of one that has died."""
        self._started = time.monotonic()
        self._ready, ready = _spawn.Pipe(duplex=False)
        self.process: SpawnProcess = _spawn.Process(
            target=_work, args=(self._settings, self.listener, ready)
        )
        self.process.start()
        ready.close()  # so that its end is seen when the process ends

    def is_ready(self) -> bool:
        """Wait until it serves; False if it cannot."""
        try:
            return self._ready.poll(_START_S) and self._ready.recv_bytes() == b"ready"
        except EOFError:
            return False

    def replace(self) -> None:
        """Start another, but not in a tight loop."""
        time.sleep(max(0.0, self._started + _BETWEEN_S - time.monotonic()))
        self.start()

    def end(self, deadline: float) -> None:
        """Wait for its end, and kill it if the deadline has passed."""
        self.process.join(max(0.0, deadline - time.monotonic()))
        if self.process.is_alive():
            _log.error("worker killed: it did not end", worker=self.process.pid)
            self.process.kill()
            self.process.join()
        self.listener.close()


def run(settings: Settings, count: int) -> NoReturn:
    """Serve with `count` processes until told to stop; exit code 0 then.

    Raises PointctlError where they cannot start, OSError for the address.
    """
    Certificate(settings.certificate, settings.key)  # or raise, before any starts
    logs.configure()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    with _counting(settings):
        _run(dataclasses.replace(settings, metrics_port=None), count)


@contextmanager
def _counting(settings: Settings) -> Iterator[None]:
    """Serve the metrics of all processes, which count into files of one folder."""
    if settings.metrics_port is None:
        yield
        return
    with (
        tempfile.TemporaryDirectory(prefix="pointctl-metrics-") as folder,
        open_registry(settings.data) as database,
    ):
        os.environ[metrics.SHARED] = folder  # the processes inherit it
        metrics.start(database, settings.certificate, settings.metrics_port)
        yield


def _run(settings: Settings, count: int) -> NoReturn:
    workers: list[_Worker] = []
    try:
        for _ in range(count):
            workers.append(_Worker(settings))
            port = workers[0].listener.getsockname()[1]
            settings = dataclasses.replace(settings, port=port)
        if not all(worker.is_ready() for worker in workers):
            raise PointctlError("a worker could not start; it says why above")
        say_ready(workers[0].listener)
        _watch(workers)
    finally:
        _end(workers)


def _watch(workers: list[_Worker]) -> NoReturn:
    """Replace processes that die."""
    while True:
        wait([worker.process.sentinel for worker in workers])
        for worker in workers:
            if not worker.process.is_alive():
                pid, code = worker.process.pid, worker.process.exitcode
                _log.error("worker died", worker=pid, exit_code=code)
                worker.replace()


def _end(workers: list[_Worker]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    for worker in workers:
        worker.process.terminate()
    deadline = time.monotonic() + _END_S
    for worker in workers:
        worker.end(deadline)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _work(settings: Settings, listener: socket.socket, ready: Connection) -> NoReturn:
    """What each process does."""
    end_with_parent()

    def on_ready(_listener: socket.socket) -> None:
        _log.info("worker ready", worker=os.getpid())
        ready.send_bytes(b"ready")

    try:
        serve(settings, listener, on_ready)
    except PointctlError as error:
        print(f"pointctl: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
