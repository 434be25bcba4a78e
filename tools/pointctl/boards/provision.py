"""A first boot over the cable: watched, and what it left in flash read back."""

from collections.abc import Callable
from dataclasses import dataclass

from point.errors import SUCCESS
from pointctl.boards import bootlog, info
from pointctl.boards.bootlog import Outcome
from pointctl.boards.connection import Connection
from pointctl.boards.onboard import Kept
from pointctl.errors import PointctlError

OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Provisioned:
    """What came of a boot: the board's own word, and what its flash holds after it."""

    outcome: Outcome
    kept: Kept | None  # as the board opened it after another reset; no secret


def watch(connection: Connection, on_line: OnLine, timeout_s: float) -> Outcome:
    """Restart the board and follow its log until it says what came of it.

    The port stays open. Raises PointctlError if it stops by itself, or has not said it
    after `timeout_s`.
    """
    connection.link.reset()
    for line in connection.link.lines(timeout_s):
        on_line(line)
        if outcome := bootlog.outcome_of(line):
            return outcome
        if bootlog.ended(line):
            raise PointctlError(
                "main.py has ended, or there is none; see what it printed, and "
                f"pointctl boards info {connection.port}"
            )
    raise PointctlError(
        f"the board said nothing of credentials within {timeout_s:g} s; see what it "
        "printed, or give it longer with --timeout"
    )


def provision(connection: Connection, on_line: OnLine, timeout_s: float) -> Provisioned:
    """Boot the board until it has credentials, and read back that they are in flash.

    It goes on running after that. Raises PointctlError where nothing is deployed, and
    as watch().
    """
    _check_deployed(connection)
    outcome = watch(connection, on_line, timeout_s)
    if outcome.code != SUCCESS:
        return Provisioned(outcome, None)
    connection.reopen()
    kept = connection.board.credentials()
    if kept is None:
        raise PointctlError(
            "the board said that it has credentials, but its flash does not hold them"
        )
    connection.restart()
    return Provisioned(outcome, kept)


def _check_deployed(connection: Connection) -> None:
    found = info.installed(connection.board)
    if found.state in (info.HALF, info.NONE):
        what = "is half deployed" if found.state == info.HALF else "has no main.py"
        raise PointctlError(
            f"the board {what}; first pointctl boards deploy {connection.port}"
        )
