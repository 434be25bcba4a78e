"""Put firmware on a board so that no interruption leaves it running half of it.

main.py goes first and comes last. In between there is a main.py that says that the
board is half deployed, and deploying.json says what may be there. Everything is hashed
by the board before main.py is put back; deployed.json, what the next deployment and
`info` go by, is written last of all. An interrupted deployment is simply done again:
what is there already is not copied twice. Credentials are never touched.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pointctl.boards import plan
from pointctl.boards.claim_keys import ClaimKey
from pointctl.boards.link import BoardError
from pointctl.boards.onboard import OnBoard
from pointctl.boards.plan import BOOT, CLAIM_KEY, JOURNAL, MAIN, MANIFEST, NEW_MAIN
from pointctl.errors import PointctlError, Refused

SIGN = "half deployed: run pointctl boards deploy again"
GUARD = f'print("{SIGN}")\n'.encode()
_HALF_DEPLOYED = (
    "the board is half deployed and runs nothing of it; give the same command again, "
    "and it goes on from there"
)
_LAST_STEP = "everything is on the board; give the same command again to finish"
_RESERVE = 3  # blocks: the journal, the guard, and what the file system itself takes


class Interrupted(PointctlError):
    """By Ctrl-C."""

    exit_code = 130


# Restarts the board, waits for a line with that text, is at its REPL again.
Restarted = Callable[[str], OnBoard]
Reporter = Callable[[str, int, int], None]  # file, bytes copied in all, of how many


@dataclass(frozen=True)
class Firmware:
    """The files of one version for one kind of board, without the board's root."""

    board: str
    version: str
    files: Mapping[str, bytes]

    @property
    def manifest(self) -> plan.Manifest:
        """What deployed.json will say."""
        hashes = {path: plan.sha256(data) for path, data in self.files.items()}
        return plan.Manifest(self.board, self.version, hashes)


@dataclass(frozen=True)
class State:
    """What is on a board, and what has to be done to it."""

    manifest: plan.Manifest | None  # of the last deployment that was finished
    unfinished: bool  # one was begun after it
    known: frozenset[str]  # what manifest and journal say is ours
    plan: plan.Plan

    def done(self, firmware: Firmware) -> bool:
        """Whether nothing has to be done at all."""
        finished = self.manifest == firmware.manifest and not self.unfinished
        return self.plan.empty and finished


def look(board: OnBoard, wanted: Mapping[str, bytes]) -> State:
    """What is there, against what is wanted; nothing is written."""
    manifest = plan.manifest_of(board.read(MANIFEST) or b"")
    journal = board.read(JOURNAL)
    known = {*(manifest.files if manifest else ()), *plan.journal_of(journal or b"")}
    found = board.survey({*wanted, *plan.stale_names(wanted, known)}, whole=True)
    made = plan.make(wanted, found)
    return State(manifest, journal is not None, frozenset(known), made)


def check_room(board: OnBoard, state: State) -> None:
    """Raise Refused if the flash is too small for what has to be copied."""
    room = board.free()
    if room is None:
        return
    block, free = room
    lacking = (state.plan.blocks(block) + _RESERVE) * block - free
    if lacking > 0:
        raise Refused(
            f"the flash is {-(-lacking // 1024)} KB too small, {free // 1024} KB are "
            "free: remove files of your own, or leave out --source; nothing was changed"
        )


class Deployment:
    """One way from what is on a board to `firmware` and its `setup` files.

    `restarted` is called once the board can no longer start anything but a message.
    `claim_key` is given to the board when its firmware is there to say who it is.
    """

    def __init__(
        self,
        board: OnBoard,
        firmware: Firmware,
        setup: Mapping[str, bytes],
        *,
        restarted: Restarted,
        report: Reporter,
        claim_key: ClaimKey | None = None,
    ) -> None:
        self._board = board
        self._firmware = firmware
        self._wanted = {**firmware.files, **setup}
        self._restarted = restarted
        self._report = report
        self._claim_key = claim_key
        self._copied = 0
        self._total = 0

    def carry_out(self, state: State) -> list[str]:
        """Do what the state asks for, and return what was copied.

        Raises PointctlError that says whether the board is half deployed.
        """
        copied = state.plan.copies
        self._total = sum(len(self._wanted[path]) for path in {*copied, MAIN})
        with _explained("nothing was changed"):
            paths = state.known | self._wanted.keys()
            self._put_checked(JOURNAL, plan.journal(paths))
        if state.plan.empty and self._claim_key is None:
            with _explained(_LAST_STEP):
                self._note_down()
            return []
        with _explained(_HALF_DEPLOYED):
            self._take_away(state)
            self._copy(state)
            self._check()
            if self._claim_key:
                self._give_claim_key(self._claim_key)
                copied.append(CLAIM_KEY)
            self._put_back()
            self._note_down()
        return copied

    def _take_away(self, state: State) -> None:
        """From here on nothing but the guard can start."""
        gone = [path for path in state.plan.gone if path != MAIN]
        gone.sort(key=lambda path: path != BOOT)  # boot.py right after main.py
        self._board.remove([MAIN, *gone])
        self._board.put(MAIN, GUARD)
        self._board = self._restarted(SIGN)

    def _copy(self, state: State) -> None:
        """All that is to be copied but main.py; boot.py, which starts first, last."""
        paths = [path for path in state.plan.copies if path != MAIN]
        paths.sort(key=lambda path: path == BOOT)
        self._board.make_folders(paths)
        for path in paths:
            self._put_checked(path, self._wanted[path])

    def _give_claim_key(self, wanted: ClaimKey) -> None:
        """Write the board's own key, and have its adapter read it back.

        An adapter may keep it elsewhere, and take the file away.
        """
        key = wanted.of(self._board)
        self._put_checked(CLAIM_KEY, key.hex().encode() + b"\n")
        if self._board.claim_key_hash() != plan.sha256(key):
            raise PointctlError("the board does not find the claim key it was given")

    def _check(self) -> None:
        """Everything but main.py is there and right, also what was not copied."""
        found = self._board.survey(set(self._wanted))
        wrong = [
            step.path
            for step in plan.make(self._wanted, found).steps
            if step.action is not plan.Action.KEEP and step.path != MAIN
        ]
        if wrong:
            raise PointctlError(
                f"{', '.join(wrong[:3])} are not as they were written: the flash or "
                "the cable is bad"
            )
        if found_wrong := self._board.trial():
            raise PointctlError(f"the board does not take its setup: {found_wrong}")

    def _put_back(self) -> None:
        """main.py by its own name, whole from the first moment on."""
        main = self._wanted[MAIN]
        self._put_checked(NEW_MAIN, main)
        self._board.remove([MAIN])
        self._board.rename(NEW_MAIN, MAIN)
        if self._board.sha256(MAIN) != plan.sha256(main):
            self._board.remove([MAIN])
            raise PointctlError("the board has lost main.py while renaming it")

    def _note_down(self) -> None:
        """What is there now is what this deployment wanted."""
        self._put_checked(MANIFEST, self._firmware.manifest.encode())
        self._board.remove([JOURNAL])

    def _put_checked(self, path: str, data: bytes) -> None:
        before = self._copied
        counted = path in self._wanted

        def progress(written: int, _of: int) -> None:
            self._report(path, before + written, self._total)

        self._board.put(path, data, progress if counted else None)
        self._copied += len(data) if counted else 0
        if self._board.sha256(path) != plan.sha256(data):
            raise PointctlError(
                f"{path} is not on the board as it was sent: check the cable"
            )


@contextmanager
def _explained(state: str) -> Iterator[None]:
    """What goes wrong is told with the state that the board is left in."""
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
