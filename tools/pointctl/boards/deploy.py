"""Deploy firmware to a board so that an interruption never leaves it running half.

main.py is removed first and written last. Meanwhile another main.py prints that the
board is half deployed, and deploying.json lists what may be there. The board hashes
every file before main.py is put back; deployed.json, which the next deployment and
`info` read, is written last of all. To go on after an interruption, repeat the
deployment: files that are on the board already are not copied again. Credentials are
never touched.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pointctl.boards import plan
from pointctl.boards.claim_keys import ClaimKey
from pointctl.boards.link import BoardError
from pointctl.boards.plan import BOOT, CLAIM_KEY, JOURNAL, MAIN, MANIFEST, NEW_MAIN
from pointctl.boards.remote_board import RemoteBoard
from pointctl.errors import PointctlError, Refused

SIGN = "half deployed: run pointctl boards deploy again"  # what the guard prints
GUARD = f'print("{SIGN}")\n'.encode()  # main.py while files are being copied
_HALF_DEPLOYED = (
    "the board is half deployed and runs nothing of it; give the same command again, "
    "and it goes on from there"
)
_LAST_STEP = "everything is on the board; give the same command again to finish"
_RESERVE = 3  # blocks: the journal, the guard, and what the file system itself needs


class Interrupted(PointctlError):
    """The user pressed Ctrl-C."""

    exit_code = 130


# Restarts the board, waits for a line with that text, and opens its REPL again.
RestartToRepl = Callable[[str], RemoteBoard]
Reporter = Callable[[str, int, int], None]  # file, bytes copied so far, bytes in all


@dataclass(frozen=True)
class Firmware:
    """The files of one version for one kind of board; paths without the root."""

    board: str
    version: str
    files: Mapping[str, bytes]

    @property
    def manifest(self) -> plan.Manifest:
        """The content of deployed.json after this deployment."""
        hashes = {path: plan.sha256(data) for path, data in self.files.items()}
        return plan.Manifest(self.board, self.version, hashes)


@dataclass(frozen=True)
class BoardState:
    """What is on a board, and what has to be done to it."""

    manifest: plan.Manifest | None  # of the last deployment that was finished
    is_unfinished: bool  # a later deployment was begun and not finished
    known: frozenset[str]  # paths of ours, by manifest and journal
    plan: plan.DeploymentPlan

    def is_deployed(self, firmware: Firmware) -> bool:
        """Whether nothing has to be done."""
        is_finished = self.manifest == firmware.manifest and not self.is_unfinished
        return self.plan.is_empty and is_finished


def inspect(board: RemoteBoard, wanted: Mapping[str, bytes]) -> BoardState:
    """Compare what is on the board with what is wanted; nothing is written."""
    manifest = plan.parse_manifest(board.read(MANIFEST) or b"")
    journal = board.read(JOURNAL)
    known = {
        *(manifest.files if manifest else ()),
        *plan.parse_journal(journal or b""),
    }
    found = board.survey({*wanted, *plan.stale_names(wanted, known)}, whole=True)
    made = plan.make_plan(wanted, found)
    return BoardState(manifest, journal is not None, frozenset(known), made)


def check_room(board: RemoteBoard, state: BoardState) -> None:
    """Raise Refused if the flash is too small for what has to be copied."""
    space = board.flash_space()
    if space is None:
        return
    needed = (state.plan.count_blocks(space.block_bytes) + _RESERVE) * space.block_bytes
    lacking = needed - space.free_bytes
    if lacking > 0:
        raise Refused(
            f"the flash is {-(-lacking // 1024)} KB too small, "
            f"{space.free_bytes // 1024} KB are free: remove files of your own, or "
            "leave out --source; nothing was changed"
        )


class Deployment:
    """Carries out one deployment of `firmware` and its `setup` files.

    `restart_to_repl` is called once the board can start nothing but the guard.
    `claim_key` is given to the board when the firmware that reads its IMEI is there.
    """

    def __init__(
        self,
        board: RemoteBoard,
        firmware: Firmware,
        setup: Mapping[str, bytes],
        *,
        restart_to_repl: RestartToRepl,
        report: Reporter,
        claim_key: ClaimKey | None = None,
    ) -> None:
        self._board = board
        self._firmware = firmware
        self._wanted = {**firmware.files, **setup}
        self._restart_to_repl = restart_to_repl
        self._report = report
        self._claim_key = claim_key
        self._copied_bytes = 0
        self._total_bytes = 0

    def carry_out(self, state: BoardState) -> list[str]:
        """Deploy, and return the paths of the files that were copied.

        Raises PointctlError that says whether the board is half deployed.
        """
        copied = state.plan.to_copy
        self._total_bytes = sum(len(self._wanted[path]) for path in {*copied, MAIN})
        with _state_in_errors("nothing was changed"):
            paths = state.known | self._wanted.keys()
            self._put_checked(JOURNAL, plan.encode_journal(paths))
        if state.plan.is_empty and self._claim_key is None:
            with _state_in_errors(_LAST_STEP):
                self._write_manifest()
            return []
        with _state_in_errors(_HALF_DEPLOYED):
            self._remove_old(state)
            self._copy(state)
            self._check()
            if self._claim_key:
                self._give_claim_key(self._claim_key)
                copied.append(CLAIM_KEY)
            self._put_main_back()
            self._write_manifest()
        return copied

    def _remove_old(self, state: BoardState) -> None:
        """Remove what is replaced or stale; only the guard can start from now on."""
        paths = [path for path in state.plan.to_remove if path != MAIN]
        paths.sort(key=lambda path: path != BOOT)  # boot.py right after main.py
        self._board.remove([MAIN, *paths])
        self._board.put(MAIN, GUARD)
        self._board = self._restart_to_repl(SIGN)

    def _copy(self, state: BoardState) -> None:
        """Copy all but main.py; boot.py last, because the board starts it first."""
        paths = [path for path in state.plan.to_copy if path != MAIN]
        paths.sort(key=lambda path: path == BOOT)
        self._board.make_folders(paths)
        for path in paths:
            self._put_checked(path, self._wanted[path])

    def _give_claim_key(self, wanted: ClaimKey) -> None:
        """Write the board's claim key, and have its adapter read it back.

        An adapter may keep the key elsewhere, and remove the file.
        """
        key = wanted.key_for(self._board)
        self._put_checked(CLAIM_KEY, key.hex().encode() + b"\n")
        if self._board.claim_key_hash() != plan.sha256(key):
            raise PointctlError(
                "the board does not find the claim key that was written to it"
            )

    def _check(self) -> None:
        """Check everything but main.py, including files that were not copied."""
        found = self._board.survey(set(self._wanted))
        wrong = [
            file.path
            for file in plan.make_plan(self._wanted, found).files
            if file.action is not plan.FileAction.KEEP and file.path != MAIN
        ]
        if wrong:
            raise PointctlError(
                f"{', '.join(wrong[:3])} are not as they were written: the flash or "
                "the cable is bad"
            )
        if problem := self._board.check_setup():
            raise PointctlError(f"the board does not accept its setup: {problem}")

    def _put_main_back(self) -> None:
        """Write main.py under another name and rename it, so that it is never half."""
        main = self._wanted[MAIN]
        self._put_checked(NEW_MAIN, main)
        self._board.remove([MAIN])
        self._board.rename(NEW_MAIN, MAIN)
        if self._board.sha256(MAIN) != plan.sha256(main):
            self._board.remove([MAIN])
            raise PointctlError("the board lost main.py while renaming it")

    def _write_manifest(self) -> None:
        """Record this deployment as finished."""
        self._put_checked(MANIFEST, self._firmware.manifest.encode())
        self._board.remove([JOURNAL])

    def _put_checked(self, path: str, data: bytes) -> None:
        """Write a file, and compare the hash that the board computes of it."""
        before = self._copied_bytes
        is_counted = path in self._wanted

        def progress(written: int, _of: int) -> None:
            self._report(path, before + written, self._total_bytes)

        self._board.put(path, data, progress if is_counted else None)
        self._copied_bytes += len(data) if is_counted else 0
        if self._board.sha256(path) != plan.sha256(data):
            raise PointctlError(
                f"{path} is not on the board as it was sent: check the cable"
            )


@contextmanager
def _state_in_errors(state: str) -> Iterator[None]:
    """Add to each error the state that the board is left in."""
    try:
        yield
    except BoardError as error:
        text = str(error)
        if re.search(r"ENOSPC|OSError: 28|Errno 28|the board wrote", text):
            text = "the flash of the board is full: remove files of your own"
        raise PointctlError(f"{text}; {state}") from error
    except PointctlError as error:
        raise PointctlError(f"{error}; {state}") from error
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; {state}") from None
