"""Watch the first boot of a board, and read back that it stored its credentials."""

from collections.abc import Callable
from dataclasses import dataclass

from point.errors import SUCCESS
from pointctl.boards import bootlog, info
from pointctl.boards.bootlog import BootOutcome
from pointctl.boards.connection import Connection
from pointctl.boards.remote_board import StoredCredential
from pointctl.errors import PointctlError

OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Provisioned:
    """The result of a boot: what the board reported, and what its flash holds."""

    outcome: BootOutcome
    stored: StoredCredential | None  # as the board opened it after another reset


def watch(connection: Connection, on_line: OnLine, timeout_s: float) -> BootOutcome:
    """Restart the board and follow its log until it reports success or an error.

    The port stays open. Raises PointctlError if main.py ends, or has reported nothing
    after `timeout_s`.
    """
    connection.link.reset()
    for line in connection.link.lines(timeout_s):
        on_line(line)
        if outcome := bootlog.parse_outcome(line):
            return outcome
        if bootlog.is_banner(line):
            raise PointctlError(
                "main.py has ended, or is missing; see what it printed, and "
                f"pointctl boards info {connection.port}"
            )
    raise PointctlError(
        f"the board did not report credentials within {timeout_s:g} s; see what it "
        "printed, or give it longer with --timeout"
    )


def provision(connection: Connection, on_line: OnLine, timeout_s: float) -> Provisioned:
    """Boot the board until it has credentials, and read back that they are in flash.

    Afterwards the board goes on running. Raises PointctlError if nothing is deployed,
    and as watch().
    """
    _check_deployed(connection)
    outcome = watch(connection, on_line, timeout_s)
    if outcome.code != SUCCESS:
        return Provisioned(outcome, None)
    connection.reopen()
    stored = connection.board.credentials()
    if stored is None:
        raise PointctlError(
            "the board reported credentials, but its flash does not hold them: the "
            "flash may be bad; try again"
        )
    connection.restart()
    return Provisioned(outcome, stored)


def _check_deployed(connection: Connection) -> None:
    found = info.check_installed(connection.board)
    if found.state in (info.HALF, info.NONE):
        what = "is half deployed" if found.state == info.HALF else "has no main.py"
        raise PointctlError(
            f"the board {what}; first run pointctl boards deploy {connection.port}"
        )
