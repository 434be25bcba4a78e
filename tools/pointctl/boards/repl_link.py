"""What all links to a raw REPL share: files, hashes, restarts, listening.

The programs that run on a board are in the dialect of MicroPython 1.13, the oldest.
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

from pointctl.boards.link import BoardError, LinkError, Progress, garbled_error
from pointctl.boards.serial_line import SerialLine

_STEP_S = 15  # for one small program: flash that has to erase first is slow
_HASH_S = 60
_CLOSE_S = 1
_RETURN_POLL_S = 0.2  # between attempts to open a port that went away
_CHUNK_BYTES = 768  # of a file; as base64 it fits the buffers of small boards

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
    """A Link without the transport of programs and of their output."""

    # A statement that defines _restart, the function that restarts this kind of board.
    restart_source: ClassVar[str]

    def __init__(self, line: SerialLine) -> None:
        self.port = line.port
        self._line = line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @abc.abstractmethod
    def _enter_raw_repl(self) -> bool:
        """Try once to interrupt what runs and enter the raw REPL."""

    @abc.abstractmethod
    def _start(self, source: str) -> None:
        """Start a program on the board."""

    @abc.abstractmethod
    def _finish(self) -> tuple[bytes, bytes]:
        """Wait for the program; return what it printed, and its traceback or b""."""

    def interrupt(self, timeout_s: float) -> None:
        """Stop what runs, and enter the raw REPL. Raises LinkError."""
        with self._line.within(timeout_s):
            while not self._enter_raw_repl():
                self._line.drain()
            # A board that was busy answers all old requests now, also those of earlier
            # sessions. Once it is quiet, the next answer belongs to our request.
            self._line.drain()
            if not self._enter_raw_repl():
                raise garbled_error(self.port)

    def run(self, source: str, timeout_s: float = 10) -> str:
        """Run Python on the board and return what it printed."""
        with self._line.within(timeout_s):
            self._start(source)
            printed, error = self._finish()
        if error:
            raise BoardError(f"the board at {self.port} says: {_last_line(error)}")
        return printed.decode(errors="replace").replace("\r\n", "\n")

    def read(self, path: str) -> bytes:
        """Return the content of a file on the board."""
        expected = self.sha256(path)
        self._run_for(path, f"{_MODULES}\n_f = open({path!r}, 'rb')")
        data = b""
        read_chunk = f"print(_b.b2a_base64(_f.read({_CHUNK_BYTES})).decode())"
        while chunk := self._decode(self._run_for(path, read_chunk)):
            data += chunk
        self._run_for(path, "_f.close()")
        if hashlib.sha256(data).hexdigest() != expected:
            raise garbled_error(self.port)
        return data

    def write(self, path: str, data: bytes, progress: Progress | None = None) -> None:
        """Write a file in place, in an existing folder. The content is not verified."""
        self._run_for(path, f"{_MODULES}\n_f = open({path!r}, 'wb')")
        for start in range(0, len(data), _CHUNK_BYTES):
            chunk = data[start : start + _CHUNK_BYTES]
            text = base64.b64encode(chunk).decode()
            written = self._run_for(path, f"print(_f.write(_b.a2b_base64({text!r})))")
            if written.strip() != str(len(chunk)):
                raise BoardError(f"{path}: the board wrote {written.strip()} bytes")
            if progress:
                progress(start + len(chunk), len(data))
        self._run_for(path, "_f.close()")

    def sha256(self, path: str) -> str | None:
        """Return the hash in hex that the board computes, None if there is no file."""
        printed = self._run_for(path, f"{_HASH}\n_sha256({path!r})", _HASH_S).strip()
        if printed and (len(printed) != 64 or set(printed) - set("0123456789abcdef")):
            raise garbled_error(self.port)
        return printed or None

    def reset(self) -> None:
        """Restart into boot.py and main.py; afterwards the link can only listen."""
        can_restart = self.run(_HAS.format(self.restart_source)).strip() == "True"
        with self._line.within(_STEP_S):
            if can_restart:
                self._start("_restart()")
            else:
                self._line.write(b"\r\x02\x04")  # Ctrl-B, Ctrl-D: a soft reset

    def lines(self, timeout_s: float) -> Iterator[str]:
        """Yield the lines that a running board prints, for so long after the call.

        The port of a board that restarts may go away; this waits for its return.
        """
        deadline = time.monotonic() + timeout_s
        received = b""
        while (left := deadline - time.monotonic()) > 0:
            try:
                with self._line.within(left):
                    received += self._line.read_some()
            except LinkError:
                self._await_return(deadline)
            *lines, received = received.split(b"\n")
            for line in lines:
                yield line.decode(errors="replace").rstrip("\r")
        if received.strip():
            yield received.decode(errors="replace").rstrip("\r")

    def close(self) -> None:
        """Close the port; the board goes on with what it does."""
        try:
            with self._line.within(_CLOSE_S):
                self._line.write(b"\r\x02")  # Ctrl-B: the REPL for people
        except LinkError:
            pass  # the port is gone already
        finally:
            self._line.close()

    def _run_for(self, path: str, source: str, timeout_s: float = _STEP_S) -> str:
        """Run a program about a file; errors name the file."""
        try:
            return self.run(source, timeout_s)
        except BoardError as error:
            raise BoardError(f"{path}: {error}") from error

    def _decode(self, text: str) -> bytes:
        try:
            return base64.b64decode(text.strip(), validate=True)
        except binascii.Error:
            raise garbled_error(self.port) from None

    def _await_return(self, deadline: float) -> None:
        while True:
            try:
                self._line.reopen()
                return
            except LinkError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETURN_POLL_S)


def _last_line(error: bytes) -> str:
    """Return the last line of a traceback, with the name of an OSError's number.

    Boards know the names of few errors.
    """
    last = error.decode(errors="replace").strip().splitlines()[-1]
    if number := re.fullmatch(r"OSError: (\d+)", last):
        name = errno.errorcode.get(int(number[1]), "unknown")
        return f"{last} ({name})"
    return last
