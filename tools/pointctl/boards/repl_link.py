"""What all links do alike at a raw REPL: files, hashes, restarts, listening.

What runs on the board is in the dialect of the oldest, MicroPython 1.13.
"""

import abc
import base64
import binascii
import errno
import hashlib
import re
import time
from collections.abc import Iterator
from typing import ClassVar, Self

from pointctl.boards.link import BoardError, LinkError, Progress
from pointctl.boards.serial_line import Line

_STEP_S = 15  # one small program; flash that must erase first is slow
_HASH_S = 60
_CLOSE_S = 1
_RETURN_S = 0.2  # between looks whether a port has come back
_CHUNK = 768  # of files; as base64 it fits buffers of small boards, with their REPL

_MODULES = """
try:
    import ubinascii as _b
except ImportError:
    import binascii as _b
try:
    import uhashlib as _h
except ImportError:
    import hashlib as _h
try:
    import uos as _o
except ImportError:
    import os as _o
"""
_HASH = (
    _MODULES
    + """
def _sha256(path):
    try:
        if _o.stat(path)[0] & 0x4000:
            return
    except OSError as error:
        if error.args[0] == 2:
            return
        raise
    made = _h.sha256()
    with open(path, "rb") as file:
        while True:
            data = file.read(512)
            if not data:
                break
            made.update(data)
    print(_b.hexlify(made.digest()).decode())
"""
)
_HAS = """
try:
    {0}
    print(True)
except (ImportError, AttributeError):
    print(False)
"""


class ReplLink(abc.ABC):
    """A Link, but for how a program gets to the board and its output back."""

    # Binds _restart to what restarts the board, where it has that.
    restart: ClassVar[str]

    def __init__(self, line: Line) -> None:
        self.port = line.port
        self._line = line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @abc.abstractmethod
    def _entered(self) -> bool:
        """Try once to interrupt what runs and get to the raw REPL."""

    @abc.abstractmethod
    def _start(self, source: str) -> None:
        """Have the board begin to run a program."""

    @abc.abstractmethod
    def _finish(self) -> tuple[bytes, bytes]:
        """What the program that was started has printed, and its traceback if any."""

    def interrupt(self, timeout_s: float) -> None:
        """Stop what runs, and get to the raw REPL. Raises LinkError."""
        with self._line.within(timeout_s):
            while not self._entered():
                self._line.drain()
            # A board that was busy now answers all that it was ever asked, in sessions
            # before this one too: once it is quiet one answer is ours.
            self._line.drain()
            if not self._entered():
                raise self._garbled()

    def run(self, source: str, timeout_s: float = 10) -> str:
        """Run Python on the board and return what it printed."""
        with self._line.within(timeout_s):
            self._start(source)
            printed, error = self._finish()
        if error:
            raise BoardError(f"the board at {self.port} says: {_last_line(error)}")
        return printed.decode(errors="replace").replace("\r\n", "\n")

    def read(self, path: str) -> bytes:
        """A file of the board, whole."""
        expected = self.sha256(path)
        self._about(path, f"{_MODULES}\n_f = open({path!r}, 'rb')")
        data = b""
        while chunk := self._decoded(
            self._about(path, f"print(_b.b2a_base64(_f.read({_CHUNK})).decode())")
        ):
            data += chunk
        self._about(path, "_f.close()")
        if hashlib.sha256(data).hexdigest() != expected:
            raise self._garbled()
        return data

    def write(self, path: str, data: bytes, progress: Progress | None = None) -> None:
        """Write a file in place, in folders that are there. Not yet verified."""
        self._about(path, f"{_MODULES}\n_f = open({path!r}, 'wb')")
        for start in range(0, len(data), _CHUNK):
            chunk = data[start : start + _CHUNK]
            text = base64.b64encode(chunk).decode()
            written = self._about(path, f"print(_f.write(_b.a2b_base64({text!r})))")
            if written.strip() != str(len(chunk)):
                raise BoardError(f"{path}: the board wrote {written.strip()} bytes")
            if progress:
                progress(start + len(chunk), len(data))
        self._about(path, "_f.close()")

    def sha256(self, path: str) -> str | None:
        """The hash of a file in hex, computed on the board; None if it is no file."""
        said = self._about(path, f"{_HASH}\n_sha256({path!r})", _HASH_S).strip()
        if said and (len(said) != 64 or set(said) - set("0123456789abcdef")):
            raise self._garbled()
        return said or None

    def reset(self) -> None:
        """Restart into boot.py and main.py; the link then only listens."""
        found = self.run(_HAS.format(self.restart)).strip() == "True"
        with self._line.within(_STEP_S):
            if found:
                self._start("_restart()")
            else:
                self._line.write(b"\r\x02\x04")  # Ctrl-B, Ctrl-D: a soft reset

    def lines(self, timeout_s: float) -> Iterator[str]:
        """What a running board prints, line by line, until so long after the call.

        The port of a board that restarts may go away: it is waited for.
        """
        deadline = time.monotonic() + timeout_s
        came = b""
        while (left := deadline - time.monotonic()) > 0:
            try:
                with self._line.within(left):
                    came += self._line.read_some()
            except LinkError:
                self._await_return(deadline)
            *lines, came = came.split(b"\n")
            for line in lines:
                yield line.decode(errors="replace").rstrip("\r")
        if came.strip():
            yield came.decode(errors="replace").rstrip("\r")

    def close(self) -> None:
        """Let go of the port; the board goes on with what it does."""
        try:
            with self._line.within(_CLOSE_S):
                self._line.write(b"\r\x02")  # Ctrl-B: the REPL for people
        except LinkError:
            pass  # it is gone already
        finally:
            self._line.close()

    def _about(self, path: str, source: str, timeout_s: float = _STEP_S) -> str:
        """Run something about a file, which errors name."""
        try:
            return self.run(source, timeout_s)
        except BoardError as error:
            raise BoardError(f"{path}: {error}") from error

    def _decoded(self, text: str) -> bytes:
        try:
            return base64.b64decode(text.strip(), validate=True)
        except binascii.Error:
            raise self._garbled() from None

    def _await_return(self, deadline: float) -> None:
        while True:
            try:
                self._line.reopen()
                return
            except LinkError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETURN_S)

    def _garbled(self) -> LinkError:
        return LinkError(
            f"what comes from {self.port} is garbled: check the cable, and that "
            "nothing else uses the port; then try again"
        )


def _last_line(error: bytes) -> str:
    """What a traceback comes to; boards know the names of few errors."""
    last = error.decode(errors="replace").strip().splitlines()[-1]
    if number := re.fullmatch(r"OSError: (\d+)", last):
        name = errno.errorcode.get(int(number[1]), "unknown")
        return f"{last} ({name})"
    return last
