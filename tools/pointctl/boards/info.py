"""What a board is, what is on it, and whether that is whole; no secrets."""

from dataclasses import asdict, dataclass
from typing import Any

from pointctl.boards import plan
from pointctl.boards.connection import Connection
from pointctl.boards.link import BoardError
from pointctl.boards.onboard import Kept, OnBoard
from pointctl.boards.plan import (
    CLAIM_KEY,
    CREDENTIALS,
    JOURNAL,
    MAIN,
    MANIFEST,
    PENDING,
    SETTINGS,
)

COMPLETE, HALF, CHANGED, NONE = "complete", "half deployed", "changed", "nothing"


@dataclass(frozen=True)
class Installed:
    """What deployment has put there, and what of it is still as it was."""

    state: str  # complete, half deployed, changed, or nothing
    version: str | None
    files: int  # that deployed.json names
    matching: int  # of them, as the board hashes them now
    differing: list[str]


def installed(board: OnBoard) -> Installed:
    """Hash what is there, and compare it with deployed.json."""
    manifest = plan.manifest_of(board.read(MANIFEST) or b"")
    unfinished = board.read(JOURNAL) is not None
    if manifest is None:
        found = board.survey([MAIN])
        state = HALF if unfinished else CHANGED if found else NONE
        return Installed(state, None, 0, 0, [])
    there = board.survey(list(manifest.files))
    wrong = sorted(
        path
        for path, sha256 in manifest.files.items()
        if path not in there or there[path].sha256 != sha256
    )
    state = HALF if unfinished else CHANGED if wrong else COMPLETE
    count = len(manifest.files)
    return Installed(state, manifest.version, count, count - len(wrong), wrong)


def gather(connection: Connection) -> dict[str, Any]:
    """Everything about the board, for people and programs."""
    board, facts = connection.board, connection.facts
    there = board.survey([SETTINGS, CLAIM_KEY, *CREDENTIALS, *PENDING])
    imei, imei_error = _imei(board)
    room = board.free()
    found = installed(board)
    return {
        "port": connection.port,
        "board": connection.kind,
        "runtime": f"{facts.runtime} {facts.version}",
        "platform": facts.platform,
        "mpy": facts.mpy,
        "imei": imei,
        "imei_error": imei_error,
        "flash_free": room and room[1],
        "heap_free": facts.heap_free,
        "installed": asdict(found),
        "settings": SETTINGS in there,
        "claim_key": _has_claim_key(board) or CLAIM_KEY in there,
        "credentials": _credentials(board, any(name in there for name in CREDENTIALS)),
        "claim_under_way": any(name in there for name in PENDING),
    }


def standing(kept: Kept | None) -> str:
    """How far credentials have come."""
    if kept is None:
        return "none"
    return "confirmed" if kept.confirmed else "candidate"


def _imei(board: OnBoard) -> tuple[str | None, str | None]:
    try:
        return board.imei(), None
    except BoardError as error:
        return None, str(error)


def _has_claim_key(board: OnBoard) -> bool:
    try:
        return board.claim_key_hash() is not None
    except BoardError:
        return False


def _credentials(board: OnBoard, there: bool) -> dict[str, Any]:
    """Whose they are, as the board itself opens them."""
    if not there:
        return {"standing": "none"}
    try:
        kept = board.credentials()
    except BoardError as error:
        return {"standing": "unknown", "why": str(error)}
    if kept is None:
        return {"standing": "unreadable"}
    return {
        "standing": standing(kept),
        "product_key": kept.product_key,
        "device_name": kept.device_name,
    }
