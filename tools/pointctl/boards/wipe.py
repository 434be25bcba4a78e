"""Remove the credentials from a board, and optionally its setup."""

from pointctl.boards.link import BoardError
from pointctl.boards.plan import CLAIM_KEY, CREDENTIALS, PENDING, SETTINGS
from pointctl.boards.remote_board import RemoteBoard
from pointctl.errors import PointctlError


def wipe(board: RemoteBoard, *, everything: bool = False) -> list[str]:
    """Remove both slots and the pending claim; return the names of removed files.

    With `everything`, remove the settings and claim.key, too. Raises PointctlError for
    files that still exist afterwards.
    """
    names = [*PENDING, *CREDENTIALS]
    if everything:
        names += [SETTINGS, CLAIM_KEY]
    present = sorted(board.survey(names).keys() & set(names))
    board.remove(present)
    left = board.survey(names).keys() & set(names)
    if left:
        raise PointctlError(f"still on the board: {', '.join(sorted(left))}; try again")
    return present


def has_key_elsewhere(board: RemoteBoard) -> bool:
    """Whether the adapter still finds a claim key: NVS and SecureData are not wiped."""
    try:
        return board.claim_key_hash() is not None
    except BoardError:
        return False  # it has no adapter that could find one
