"""Forget what a board has become: its credentials, and with `everything` its setup."""

from pointctl.boards.link import BoardError
from pointctl.boards.onboard import OnBoard
from pointctl.boards.plan import CLAIM_KEY, CREDENTIALS, PENDING, SETTINGS
from pointctl.errors import PointctlError


def wipe(board: OnBoard, *, everything: bool = False) -> list[str]:
    """Remove both slots and the pending claim, and return what was there.

    With `everything` the settings and claim.key go, too. Raises PointctlError for what
    is still there afterwards.
    """
    names = [*PENDING, *CREDENTIALS]
    if everything:
        names += [SETTINGS, CLAIM_KEY]
    there = sorted(board.survey(names).keys() & set(names))
    board.remove(there)
    left = board.survey(names).keys() & set(names)
    if left:
        raise PointctlError(f"still on the board: {', '.join(sorted(left))}; try again")
    return there


def key_elsewhere(board: OnBoard) -> bool:
    """Whether its adapter still finds a claim key: in NVS or SecureData, which stay."""
    try:
        return board.claim_key_hash() is not None
    except BoardError:
        return False  # there is no adapter that could
