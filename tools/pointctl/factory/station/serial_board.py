"""A board at a serial port: who it is, giving it its key, letting it try itself."""

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
from pointctl.factory.domain.units import Found, Reason, checked_unit, key_hash
from pointctl.factory.station.bench import StepFailed

_TIMEOUT_S = 10.0
CHIP = """
try:
    import binascii, machine
    print(binascii.hexlify(machine.unique_id()).decode())
except Exception:
    print("")
"""


class Bench:
    """A board with our firmware, at a port."""

    def __init__(self, port: str, kind: BoardKind | None, file: str) -> None:
        self._file = file  # that the key is in
        self._connection = Connection(port, kind, _TIMEOUT_S)

    def __enter__(self) -> Self:
        self._connection.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def look(self) -> Found:
        """Who it is. Raises StepFailed for a board without firmware or identity."""
        board = self._connection.board
        if board.sha256("board.py") is None and board.sha256("board.mpy") is None:
            raise StepFailed(Reason.NO_FIRMWARE, "there is no board.py on it")
        if board.sha256(deployment.JOURNAL) is not None:
            raise StepFailed(Reason.NO_FIRMWARE, "it is half deployed")
        manifest = deployment.parse_manifest(board.read(deployment.MANIFEST) or b"")
        try:
            unit = checked_unit(board.imei())
        except BoardError as error:
            raise StepFailed(Reason.BAD_IDENTITY, str(error)) from error
        except LinkError:
            raise
        except PointctlError as error:
            raise StepFailed(Reason.BAD_IDENTITY, str(error)) from error
        try:
            kept = board.credentials()
            held = self._held(board)
        except BoardError as error:
            raise StepFailed(Reason.NO_FIRMWARE, str(error)) from error
        return Found(
            unit=unit,
            kind=self._connection.kind,
            product=_product(board),
            built_for=manifest.board if manifest else None,
            chip=self._connection.link.run(CHIP).strip() or None,
            key_hash=held,
            claimed=kept.device_name if kept else None,
        )

    def burn(self, key: str) -> None:
        """Write the key's file; an adapter may take it to where it keeps it."""
        board = self._connection.board
        try:
            board.put(self._file, key.encode() + b"\n")
            held = self._held(board)
        except BoardError as error:
            raise StepFailed(Reason.NOT_BURNED, str(error)) from error
        if held != key_hash(key):
            raise StepFailed(
                Reason.NOT_BURNED, "it does not read back what was written"
            )

    def _held(self, board: RemoteBoard) -> str | None:
        """The hash of the key that it holds, whole; None where it holds none."""
        if self._file == deployment.CLAIM_KEY:
            return board.claim_key_hash()
        text = (board.read(self._file) or b"").decode("ascii", "replace")
        key = text.strip().partition(",")[0]  # a did may follow
        is_whole = len(key) == 32 and set(key) <= set("0123456789abcdef")
        return key_hash(key) if is_whole and text.endswith("\n") else None

    def try_itself(self, how: SelfTest, within_s: float) -> str:
        """Boot it, and go by what main.py prints."""
        link = self._connection.link
        link.reset()
        last = "it said nothing"
        until = time.monotonic() + within_s
        for line in link.lines(within_s):
            if has_published(line):  # so it has credentials, too
                return line.strip()
            found = parse_outcome(line)
            if found is not None:
                last = f"credentials {found.code} {found.detail}"
                if how is SelfTest.CREDENTIALS and found.code == SUCCESS:
                    return last
            elif is_banner(line):
                last = "main.py has ended"
                break
            if time.monotonic() > until:
                break
        raise StepFailed(Reason.SELF_TEST, last)


def _product(board: RemoteBoard) -> str | None:
    """The product of its settings; None where it has none that can be read."""
    text = board.read(deployment.SETTINGS)
    try:
        found = json.loads(text) if text else None
    except ValueError:
        return None
    product = found.get("productKey") if isinstance(found, dict) else None
    return product if isinstance(product, str) else None
