"""Connect to the board on a serial port: find its kind, restart it, reconnect."""

import time
from typing import Self

from pointctl.boards import flash
from pointctl.boards.kinds import BoardKind, parse_kind
from pointctl.boards.link import Link, LinkError
from pointctl.boards.remote_board import Facts, RemoteBoard
from pointctl.errors import PointctlError, Refused

_RETURN_S = 3  # for a USB port to come back after a restart
_RETRY_S = 0.2
_PLATFORMS = {  # by sys.platform
    "esp32": BoardKind.ESP32,
    "linux": BoardKind.UNIX,
    "darwin": BoardKind.UNIX,
    "win32": BoardKind.UNIX,
}


class Connection:
    """The board at `port`; its REPL is open after __enter__.

    Without `kind`, the board is asked for it. Every call ends in time, or raises
    LinkError. What was running on the board is interrupted.
    """

    def __init__(self, port: str, kind: BoardKind | None, timeout_s: float) -> None:
        self.port = port
        self._timeout_s = timeout_s
        self._kind = kind
        self._link: Link | None = None
        self._facts: Facts | None = None

    def __enter__(self) -> Self:
        likely = self._kind or _guess_kind(self.port)
        self._link = self._open(likely)
        try:
            self._facts = RemoteBoard(self.link, "", self._timeout_s).facts()
            self._kind = _determine_kind(self._facts, self.port, self._kind)
            if _uses_mpremote(self._kind) != _uses_mpremote(likely):
                self.reopen()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def kind(self) -> BoardKind:
        """The kind of the board."""
        assert self._kind, "enter it first"
        return self._kind

    @property
    def link(self) -> Link:
        """The open link."""
        assert self._link, "enter it first"
        return self._link

    @property
    def facts(self) -> Facts:
        """What the board reported about itself."""
        assert self._facts, "enter it first"
        return self._facts

    @property
    def board(self) -> RemoteBoard:
        """The board behind the open link."""
        root = flash.root(self.kind)
        if self.kind == BoardKind.UNIX:  # the folder that it was started in
            root = self.facts.folder.rstrip("/") + "/"
        return RemoteBoard(self.link, root, self._timeout_s)

    def close(self) -> None:
        """Close the port, if it is open."""
        if self._link:
            self._link.close()
            self._link = None

    def restart(self) -> None:
        """Restart the board into boot.py and main.py, and close the port.

        A USB port goes away meanwhile. Unless the board is very slow, it is back when
        this returns.
        """
        try:
            self.link.reset()
            next(self.link.lines(_RETURN_S), None)
        finally:
            self.close()

    def restart_to_repl(self, sign: str) -> RemoteBoard:
        """Restart the board and open its REPL again: heap and watchdog are new then.

        Waits for a line with `sign`, which the started program prints.
        """
        self.link.reset()
        for line in self.link.lines(self._timeout_s):
            if sign in line:
                break
        self.reopen()
        return self.board

    def reopen(self) -> None:
        """Interrupt what is running, and open the REPL again.

        Tries until the timeout: another program may look at a port that has just
        appeared or been closed.
        """
        self.close()
        deadline = time.monotonic() + self._timeout_s
        while self._link is None:
            try:
                self._link = self._open(self.kind)
            except LinkError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_S)

    def _open(self, kind: BoardKind | None) -> Link:
        # Imported here: no other command needs the serial libraries.
        from pointctl.boards import mpremote_link, quecpython_link

        if _uses_mpremote(kind):
            return mpremote_link.open_link(self.port, timeout_s=self._timeout_s)
        return quecpython_link.open_link(self.port, timeout_s=self._timeout_s)


def _uses_mpremote(kind: BoardKind | None) -> bool:
    """Whether to use mpremote's link, which is the faster one.

    QuecPython's link works with every REPL, so it asks boards of unknown kind.
    """
    return kind in (BoardKind.ESP32, BoardKind.UNIX)


def _guess_kind(port: str) -> BoardKind | None:
    """Guess the kind by the USB ids of the port."""
    from pointctl.boards import ports

    guesses = [each.guess for each in ports.find_ports() if each.device == port]
    return parse_kind(guesses[0]) if guesses else None


def _determine_kind(facts: Facts, port: str, given: BoardKind | None) -> BoardKind:
    """Return the kind that the board reports, or else the one that was `given`.

    Raises Refused if the two differ, PointctlError if neither is known.
    """
    found = _PLATFORMS.get(facts.platform)
    if found is None and facts.has_usr:  # its sys.platform is the module's name
        found = BoardKind.QUECPYTHON
    if given and found and given != found:
        raise Refused(
            f"the board at {port} reports that it is of kind {found}, not {given}; "
            f"give --board {found}, or connect another board"
        )
    kind = given or found
    if kind is None:
        raise PointctlError(
            f"there is no firmware for the board at {port}: {facts.platform} with "
            f"{facts.runtime} {facts.version}; if it is one of {', '.join(BoardKind)}, "
            "name that with --board"
        )
    return kind
