"""Several processes that serve one port. One that dies is replaced; all end together.

Each has its own listening socket, and the system distributes the connections. No
process keeps state in memory that another would need.
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
from pointctl.server.process.serve import ServeSettings, serve
from pointctl.web.serving import GRACE_S, announce_ready, listen
from pointctl.web.tls import Certificate

_START_S = 60  # the time for a process to get ready
_END_S = GRACE_S + 3  # the time for a process to end; then it is killed
_BETWEEN_S = 1  # the least time between two starts of a process

_spawn = multiprocessing.get_context("spawn")
_log = structlog.get_logger()


class _Worker:
    """One process and its listening socket, which stays open when the process dies."""

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self.listener = listen(settings.host, settings.port, share=True)
        self.start()

    def start(self) -> None:
        """Start the process, the first one or a replacement."""
        self._started = time.monotonic()
        self._ready, ready = _spawn.Pipe(duplex=False)
        self.process: SpawnProcess = _spawn.Process(
            target=_run_worker, args=(self._settings, self.listener, ready)
        )
        self.process.start()
        ready.close()  # else is_ready() would not notice that the process has ended

    def is_ready(self) -> bool:
        """Wait until the process serves; return False if it failed to start."""
        try:
            return self._ready.poll(_START_S) and self._ready.recv_bytes() == b"ready"
        except EOFError:
            return False

    def replace(self) -> None:
        """Start a new process, at most one in _BETWEEN_S."""
        time.sleep(max(0.0, self._started + _BETWEEN_S - time.monotonic()))
        self.start()

    def end(self, deadline: float) -> None:
        """Wait until the process has ended; kill it at the deadline."""
        self.process.join(max(0.0, deadline - time.monotonic()))
        if self.process.is_alive():
            _log.error("worker killed: it did not end", worker=self.process.pid)
            self.process.kill()
            self.process.join()
        self.listener.close()


def run(settings: ServeSettings, count: int) -> NoReturn:
    """Serve with `count` processes until stopped, and exit with code 0.

    Raises PointctlError if they cannot start, OSError for an address in use.
    """
    Certificate(settings.certificate, settings.key)  # raises before processes start
    logs.configure()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    with _serve_metrics(settings):
        _run(dataclasses.replace(settings, metrics_port=None), count)


@contextmanager
def _serve_metrics(settings: ServeSettings) -> Iterator[None]:
    """Serve the metrics of all processes; they count into files of one folder."""
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


def _run(settings: ServeSettings, count: int) -> NoReturn:
    workers: list[_Worker] = []
    try:
        for _ in range(count):
            workers.append(_Worker(settings))
            port = workers[0].listener.getsockname()[1]
            settings = dataclasses.replace(settings, port=port)
        if not all(worker.is_ready() for worker in workers):
            raise PointctlError(
                "a worker process could not start; its message is above"
            )
        announce_ready(workers[0].listener)
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


def _run_worker(
    settings: ServeSettings, listener: socket.socket, ready: Connection
) -> NoReturn:
    """Serve in one worker process."""
    end_with_parent()

    def on_ready(_listener: socket.socket) -> None:
        _log.info("worker ready", worker=os.getpid())
        ready.send_bytes(b"ready")

    try:
        serve(settings, listener, on_ready)
    except PointctlError as error:
        print(f"pointctl: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
