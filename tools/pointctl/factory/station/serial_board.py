"""A board at a serial port: identify it, burn its key, run its self-test."""

import json
import time
from typing import Self

from point.errors import SUCCESS
from pointctl.boards import plan as deployment
from pointctl.boards.bootlog import has_published, is_banner, parse_outcome
from pointctl.boards.connection import Connection
from pointctl.boards.kinds import BoardKind
from pointctl.boards.link import BoardError, LinkError
from pointctl.boards.remote_board import RemoteBoard
from pointctl.errors import PointctlError
from pointctl.factory.domain.job import SelfTest
from pointctl.factory.domain.units import BoardFacts, Reason, key_hash, parse_unit
from pointctl.factory.station.board import StepFailed

_TIMEOUT_S = 10.0
CHIP = """
try:
    import binascii, machine
    print(binascii.hexlify(machine.unique_id()).decode())
except Exception:
    print("")
"""


class SerialBoard:
    """A board with our firmware, at a port."""

    def __init__(self, port: str, kind: BoardKind | None, key_file: str) -> None:
        self._key_file = key_file
        self._connection = Connection(port, kind, _TIMEOUT_S)

    def __enter__(self) -> Self:
        self._connection.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def identify(self) -> BoardFacts:
        """Read which unit it is and what it holds.

        Raises StepFailed for a board without firmware or a valid IMEI.
        """
        board = self._connection.board
        if board.sha256("board.py") is None and board.sha256("board.mpy") is None:
            raise StepFailed(Reason.NO_FIRMWARE, "there is no board.py on it")
        if board.sha256(deployment.JOURNAL) is not None:
            raise StepFailed(Reason.NO_FIRMWARE, "it is half deployed")
        manifest = deployment.parse_manifest(board.read(deployment.MANIFEST) or b"")
        unit = _read_unit(board)
        try:
            stored = board.credentials()
            held = self._read_key_hash(board)
        except BoardError as error:
            raise StepFailed(Reason.NO_FIRMWARE, str(error)) from error
        return BoardFacts(
            unit=unit,
            kind=self._connection.kind,
            product=_read_product(board),
            built_for=manifest.board if manifest else None,
            chip=self._connection.link.run(CHIP).strip() or None,
            key_hash=held,
            claimed=stored.device_name if stored else None,
        )

    def burn(self, key: str) -> None:
        """Write the key's file, and have the board read the key back.

        An adapter may move the key to another place.
        """
        board = self._connection.board
        try:
            board.put(self._key_file, key.encode() + b"\n")
            held = self._read_key_hash(board)
        except BoardError as error:
            raise StepFailed(Reason.NOT_BURNED, str(error)) from error
        if held != key_hash(key):
            raise StepFailed(
                Reason.NOT_BURNED, "the board reads back another key than was written"
            )

    def _read_key_hash(self, board: RemoteBoard) -> str | None:
        """Return the hash of the key on the board, None if it holds no whole key."""
        if self._key_file == deployment.CLAIM_KEY:
            return board.claim_key_hash()
        text = (board.read(self._key_file) or b"").decode("ascii", "replace")
        key = text.strip().partition(",")[0]  # a did may follow
        is_whole = len(key) == 32 and set(key) <= set("0123456789abcdef")
        return key_hash(key) if is_whole and text.endswith("\n") else None

    def run_self_test(self, test: SelfTest, within_s: float) -> str:
        """Restart the board, and wait until main.py prints that it has passed."""
        link = self._connection.link
        link.reset()
        last = "it printed nothing about credentials"
        until = time.monotonic() + within_s
        for line in link.lines(within_s):
            if has_published(line):  # so it has credentials, too
                return line.strip()
            outcome = parse_outcome(line)
            if outcome is not None:
                last = f"credentials {outcome.code} {outcome.detail}"
                if test is SelfTest.CREDENTIALS and outcome.code == SUCCESS:
                    return last
            elif is_banner(line):
                last = "main.py has ended"
                break
            if time.monotonic() > until:
                break
        raise StepFailed(Reason.SELF_TEST, last)


def _read_unit(board: RemoteBoard) -> str:
    try:
        return parse_unit(board.imei())
    except LinkError:
        raise
    except PointctlError as error:
        raise StepFailed(Reason.BAD_IDENTITY, str(error)) from error


def _read_product(board: RemoteBoard) -> str | None:
    """Return the product in the board's settings, None if they cannot be read."""
    text = board.read(deployment.SETTINGS)
    try:
        settings = json.loads(text) if text else None
    except ValueError:
        return None
    product = settings.get("productKey") if isinstance(settings, dict) else None
    return product if isinstance(product, str) else None
