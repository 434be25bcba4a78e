"""A board on a serial port: found out what it is, reached, restarted, reached again."""

import time
from typing import Self

from pointctl.boards import flash
from pointctl.boards.link import Link, LinkError
from pointctl.boards.onboard import Facts, OnBoard
from pointctl.errors import PointctlError, Refused

_BACK_S = 3
_AGAIN_S = 0.2
KINDS = ("esp32", "quecpython", "unix")


class Connection:
    """The board at `port`, at its REPL from __enter__ on.

    `kind` is one of KINDS, or None to find out. Every call ends in time, or raises
    LinkError; what was running on the board is interrupted.
    """

    def __init__(self, port: str, kind: str | None, timeout_s: float) -> None:
        self.port = port
        self._timeout_s = timeout_s
        self._kind = kind
        self._link: Link | None = None
        self._facts: Facts | None = None

    def __enter__(self) -> Self:
        likely = self._kind or _guess(self.port)
        self._link = self._open(likely)
        try:
            self._facts = OnBoard(self.link, "", self._timeout_s).facts()
            self._kind = _kind_of(self._facts, self.port, self._kind)
            if _by_mpremote(self._kind) != _by_mpremote(likely):
                self.reopen()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def kind(self) -> str:
        """What the board is, one of KINDS."""
        assert self._kind, "enter it first"
        return self._kind

    @property
    def link(self) -> Link:
        """The open link."""
        assert self._link, "enter it first"
        return self._link

    @property
    def facts(self) -> Facts:
        """What the board said of itself."""
        assert self._facts, "enter it first"
        return self._facts

    @property
    def board(self) -> OnBoard:
        """What can be asked of it."""
        root = flash.root(self.kind)
        if self.kind == "unix":  # the folder that it was started in
            root = self.facts.folder.rstrip("/") + "/"
        return OnBoard(self.link, root, self._timeout_s)

    def close(self) -> None:
        """Let go of the port, if it is still held."""
        if self._link:
            self._link.close()
            self._link = None

    def restart(self) -> None:
        """Restart the board and let go of it: it goes on with boot.py and main.py.

        A port over USB goes away meanwhile: it is back, but for very slow boards.
        """
        try:
            self.link.reset()
            next(self.link.lines(_BACK_S), None)
        finally:
            self.close()

    def restarted(self, sign: str) -> OnBoard:
        """Restart the board and be at its REPL again: its heap and watchdog are new.

        What it starts prints a line with `sign`, which is waited for.
        """
        self.link.reset()
        for line in self.link.lines(self._timeout_s):
            if sign in line:
                break
        self.reopen()
        return self.board

    def reopen(self) -> None:
        """Interrupt what is running, and be at the REPL again.

        Somebody may look at a port that has just come or been let go of: they get a
        moment.
        """
        self.close()
        deadline = time.monotonic() + self._timeout_s
        while self._link is None:
            try:
                self._link = self._open(self.kind)
            except LinkError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_AGAIN_S)

    def _open(self, kind: str) -> Link:
        # Here: no other command needs what talks over serial lines.
        from pointctl.boards import mpremote_link, quecpython_link

        if _by_mpremote(kind):
            return mpremote_link.open_link(self.port, timeout_s=self._timeout_s)
        return quecpython_link.open_link(self.port, timeout_s=self._timeout_s)


def _by_mpremote(kind: str) -> bool:
    """QuecPython's link serves any REPL, so it asks where nobody knows what is there;
    mpremote's is the faster one."""
    return kind in ("esp32", "unix")


def _guess(port: str) -> str:
    """What the port's USB numbers say it is."""
    from pointctl.boards import ports

    found = [each.guess for each in ports.listed() if each.device == port]
    return found[0] if found else "unknown"


def _kind_of(facts: Facts, port: str, said: str | None) -> str:
    """What the board is by what it says, against what the operator has `said`."""
    known = {"esp32": "esp32", "linux": "unix", "darwin": "unix", "win32": "unix"}
    found = known.get(facts.platform)
    if found is None and facts.usr:  # its sys.platform is the module's name
        found = "quecpython"
    if said and found and said != found:
        raise Refused(
            f"the board at {port} says that it is of kind {found}, not {said}"
        )
    if said or found:
        return said or found or ""
    raise PointctlError(
        f"{port} is a {facts.platform} with {facts.runtime} {facts.version}, for which "
        f"there is no firmware; if it is one of {', '.join(KINDS)}, say so with --board"
    )
