"""Report what a board is, what is on it, and whether that is complete; no secrets."""

from dataclasses import dataclass
from typing import NotRequired, TypedDict

from pointctl.boards import plan
from pointctl.boards.connection import Connection
from pointctl.boards.link import BoardError
from pointctl.boards.plan import (
    CLAIM_KEY,
    CREDENTIALS,
    JOURNAL,
    MAIN,
    MANIFEST,
    PENDING,
    SETTINGS,
)
from pointctl.boards.remote_board import RemoteBoard, StoredCredential

COMPLETE, HALF, CHANGED, NONE = "complete", "half deployed", "changed", "nothing"


@dataclass(frozen=True)
class Installed:
    """What deployment has put on a board, and what has changed since."""

    state: str  # complete, half deployed, changed, or nothing
    version: str | None
    files: int  # listed in deployed.json
    matching: int  # of them, by the hash that the board computes now
    differing: list[str]


class CredentialInfo(TypedDict):
    """The credentials of a board, for people and programs."""

    standing: str  # none, unknown, unreadable, candidate or confirmed
    why: NotRequired[str]  # why it is unknown
    product_key: NotRequired[str]
    device_name: NotRequired[str]


@dataclass(frozen=True)
class BoardInfo:
    """Everything about a board; --json prints it by these names."""

    port: str
    board: str
    runtime: str
    platform: str
    mpy: int
    imei: str | None
    imei_error: str | None
    flash_free: int | None
    heap_free: int
    installed: Installed
    settings: bool
    claim_key: bool
    credentials: CredentialInfo
    claim_under_way: bool


def check_installed(board: RemoteBoard) -> Installed:
    """Have the board hash its files, and compare them with deployed.json."""
    manifest = plan.parse_manifest(board.read(MANIFEST) or b"")
    is_unfinished = board.read(JOURNAL) is not None
    if manifest is None:
        has_main = bool(board.survey([MAIN]))
        state = HALF if is_unfinished else CHANGED if has_main else NONE
        return Installed(state, None, 0, 0, [])
    found = board.survey(list(manifest.files))
    wrong = sorted(
        path
        for path, sha256 in manifest.files.items()
        if path not in found or found[path].sha256 != sha256
    )
    state = HALF if is_unfinished else CHANGED if wrong else COMPLETE
    count = len(manifest.files)
    return Installed(state, manifest.version, count, count - len(wrong), wrong)


def gather(connection: Connection) -> BoardInfo:
    """Ask the board for everything that BoardInfo holds."""
    board, facts = connection.board, connection.facts
    present = board.survey([SETTINGS, CLAIM_KEY, *CREDENTIALS, *PENDING])
    imei, imei_error = _imei(board)
    space = board.flash_space()
    return BoardInfo(
        port=connection.port,
        board=connection.kind,
        runtime=f"{facts.runtime} {facts.version}",
        platform=facts.platform,
        mpy=facts.mpy,
        imei=imei,
        imei_error=imei_error,
        flash_free=space.free_bytes if space else None,
        heap_free=facts.heap_free,
        installed=check_installed(board),
        settings=SETTINGS in present,
        claim_key=_has_claim_key(board) or CLAIM_KEY in present,
        credentials=_credentials(board, any(name in present for name in CREDENTIALS)),
        claim_under_way=any(name in present for name in PENDING),
    )


def credential_state(stored: StoredCredential | None) -> str:
    """Return none, candidate or confirmed."""
    if stored is None:
        return "none"
    return "confirmed" if stored.is_confirmed else "candidate"


def _imei(board: RemoteBoard) -> tuple[str | None, str | None]:
    """Return the IMEI, or else the error."""
    try:
        return board.imei(), None
    except BoardError as error:
        return None, str(error)


def _has_claim_key(board: RemoteBoard) -> bool:
    try:
        return board.claim_key_hash() is not None
    except BoardError:
        return False


def _credentials(board: RemoteBoard, has_slots: bool) -> CredentialInfo:
    """Return whose credentials they are, as the board itself opens them."""
    if not has_slots:
        return {"standing": "none"}
    try:
        stored = board.credentials()
    except BoardError as error:
        return {"standing": "unknown", "why": str(error)}
    if stored is None:
        return {"standing": "unreadable"}
    return {
        "standing": credential_state(stored),
        "product_key": stored.product_key,
        "device_name": stored.device_name,
    }
