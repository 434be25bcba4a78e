"""Processes of pointctl that start in no time: forks of one that has imported it all.

`python -m pointctl serve` imports for 1.5 s of processor time before it does anything,
and the tests start servers by the hundred. A fork is an ordinary process from there on,
with arguments, an environment, streams, signals and an exit code of its own; nothing
of pointctl has run in the one it is a copy of. Tests of starting itself, or of what
others can read in /proc, take the real command.

As a program this is the process to copy: its standard input is a socket.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import IO, Any

import pytest

_ROOT = Path(__file__).resolve().parents[1]
_REQUEST_BYTES = 1 << 17  # arguments and environment


class Forked:
    """A process of `pointctl ARGUMENTS`, with what tests need of subprocess.Popen."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        module: str = "pointctl",
        env: Mapping[str, str] | None = None,
        stderr: int = subprocess.PIPE,
        umask: int = -1,
    ) -> None:
        """As `python -m MODULE`; its streams are text, with STDOUT both are one."""
        self.args = [module, *map(str, arguments)]
        self.returncode: int | None = None
        self.stderr: IO[str] | None = None
        out, theirs_out = os.pipe()
        self.stdout = _text(out)
        theirs_err = theirs_out
        if stderr == subprocess.PIPE:
            err, theirs_err = os.pipe()
            self.stderr = _text(err)
        request = {
            "argv": self.args,
            "env": dict(os.environ if env is None else env),
            "cwd": str(Path.cwd()),
            "umask": umask,
        }
        self._told, told = _pair()
        given = [told.fileno(), theirs_out, theirs_err]
        socket.send_fds(_original(), [json.dumps(request).encode()], given)
        told.close()
        for each in {theirs_out, theirs_err}:
            os.close(each)
        self.pid = int(self._told.recv(32))

    def __enter__(self) -> "Forked":
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The same, when it has ended. Raises TimeoutExpired."""
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                code = self._told.recv(32)
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            self.returncode = int(code)
            self._told.close()
        return self.returncode

    def communicate(self) -> tuple[str, str]:
        """All that it says on its two streams until it ends."""
        assert self.stderr is not None
        with ThreadPoolExecutor(1) as pool:
            errors = pool.submit(self.stderr.read)
            said = self.stdout.read()
            self.wait()
            return said, errors.result()

    def send_signal(self, number: int) -> None:
        """Send it, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def popen(
    command: Sequence[str | Path], **options: Any
) -> "Forked | subprocess.Popen[str]":
    """subprocess.Popen, except that modules of pointctl are forked."""
    python, flag, module = map(str, command[:3])
    arguments = command[3:]
    if (python, flag) != (sys.executable, "-m") or module.split(".")[0] != "pointctl":
        return subprocess.Popen(command, **options)
    kept = {name: options[name] for name in ("env", "umask") if name in options}
    return Forked(arguments, module=str(module), stderr=options["stderr"], **kept)


@contextlib.contextmanager
def instead_of(*modules: ModuleType) -> Iterator[None]:
    """What these modules of pointctl start as modules of pointctl is forked."""
    replaced = SimpleNamespace(**{**vars(subprocess), "Popen": popen})
    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            patch.setattr(module, "subprocess", replaced)
        yield


def _text(pipe: int) -> IO[str]:
    return open(pipe, encoding="utf-8", errors="replace")


def _pair() -> tuple[socket.socket, socket.socket]:
    """Two ends that keep messages apart."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


_ENDS: list[Callable[[], object]] = []  # of the process that is copied


@cache
def _original() -> socket.socket:
    """Where to ask the process that is copied; it ends with this one."""
    ours, theirs = _pair()
    command = [sys.executable, "-u", "-m", "tests.forked"]
    process = subprocess.Popen(command, stdin=theirs.fileno(), cwd=_ROOT)
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    _ENDS.append(end)
    return ours


def end_original() -> None:
    """End the process that is copied, if it was started."""
    while _ENDS:
        _ENDS.pop()()
    _original.cache_clear()


def _import_all() -> None:
    """Import every module of pointctl, but for those whose extra is not installed."""
    import pointctl

    for found in pkgutil.walk_packages(pointctl.__path__, "pointctl."):
        if not found.name.endswith(".__main__") and ".migrations." not in found.name:
            with contextlib.suppress(ImportError):
                importlib.import_module(found.name)


class _Original:
    """Copies itself for whoever asks, and tells what became of the copies."""

    def __init__(self) -> None:
        self._asked = socket.socket(fileno=0)
        self._told: dict[int, tuple[int, socket.socket]] = {}  # by pidfd
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._asked, selectors.EVENT_READ)

    def run(self) -> list[str] | None:
        """Only in a copy it returns: what to run. None when nobody asks any more."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._asked:
                    self._ended(key.fd)
                    continue
                request, given, *_ = socket.recv_fds(self._asked, _REQUEST_BYTES, 3)
                if not request:
                    self._end()
                    return None
                pid = os.fork()
                if not pid:
                    return self._become(json.loads(request), given)
                told = socket.socket(fileno=given[0])
                for each in given[1:]:
                    os.close(each)
                watch = os.pidfd_open(pid)
                self._told[watch] = pid, told
                self._selector.register(watch, selectors.EVENT_READ)
                told.send(str(pid).encode())

    def _ended(self, watch: int) -> None:
        pid, told = self._told.pop(watch)
        self._selector.unregister(watch)
        os.close(watch)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with told, contextlib.suppress(OSError):  # nobody may want to know
            told.send(str(code).encode())

    def _end(self) -> None:
        """Leave none behind."""
        for pid, _ in self._told.values():
            os.kill(pid, signal.SIGKILL)
        for watch in list(self._told):
            self._ended(watch)

    def _become(self, request: dict, given: list[int]) -> list[str]:
        """Let go of what is the original's, and take what the process was given."""
        self._selector.close()
        for watch, (_, told) in self._told.items():
            os.close(watch)
            told.close()
        self._asked.close()
        os.open(os.devnull, os.O_RDONLY)  # the lowest that is free: standard input
        os.dup2(given[1], 1)
        os.dup2(given[2], 2)
        for each in set(given):
            os.close(each)
        os.chdir(request["cwd"])
        if request["umask"] >= 0:
            os.umask(request["umask"])
        os.environ.clear()
        os.environ.update(request["env"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return list(request["argv"])


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those who asked
    _import_all()
    gc.freeze()
    arguments = _Original().run()
    if arguments is not None:
        sys.argv = arguments
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
