"""Processes by a mark in their environment, which whatever they start inherits.

Run as a program it is the guard: with a mark as its argument it waits for the end of
its input, which is the end of whoever holds the other end, and kills those that carry
the mark. It uses nothing but Python's own library, so that it starts at once.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

MARK = "POINTACCESS_TEST_RUN"


def carriers(value: str, name: str = MARK) -> dict[int, str]:
    """The processes whose environment has `name` with this value: their commands."""
    wanted = f"{name}={value}".encode()
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile, or is another user's
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(process.name)] = command.decode(errors="replace").strip()
    found.pop(os.getpid(), None)
    return found


def kill(found: dict[int, str]) -> None:
    """End them at once."""
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    kill(carriers(sys.argv[1]))
