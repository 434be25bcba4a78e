"""The serial line of a fake board: a pty behind a symlink that comes and goes."""

import os
import select
import tty
from pathlib import Path

_CHUNK = 4096


class Line:
    """The board's end of the line. Nothing here blocks.

    The host opens the symlink, because mpremote lets reads of /dev/pts/N wait for ever.
    """

    def __init__(self, port: Path) -> None:
        self.port = port
        self.master: int | None = None

    def plug(self) -> None:
        """Make the port, under the same name each time."""
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.port.symlink_to(os.ttyname(slave))
        os.close(slave)
        os.set_blocking(self.master, False)

    def unplug(self) -> None:
        """Remove the port; a host that has it open gets an error."""
        if self.master is not None:
            self.port.unlink()
            os.close(self.master)
            self.master = None

    @property
    def opened(self) -> bool:
        """Whether a program on the host has it open."""
        if self.master is None:
            return False
        poll = select.poll()
        poll.register(self.master, 0)
        return not any(event & select.POLLHUP for _, event in poll.poll(0))

    def read(self) -> bytes:
        """Return what the host has sent, b"" if nothing."""
        assert self.master is not None
        try:
            return os.read(self.master, _CHUNK)
        except OSError:  # BlockingIOError; or EIO: it was closed meanwhile
            return b""

    def write(self, data: bytes) -> int:
        """Write, and return how many bytes fitted."""
        assert self.master is not None
        try:
            return os.write(self.master, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # no host reads it
