"""A cable, a power supply, a flash or an operator that fails while a board is deployed.

Real deployments over a pty to the real MicroPython: several in a row, of versions that
differ, each with a fault at a random moment. What a board boots in between is of one
version or nothing, no deployment lasts longer than its deadlines, and afterwards the
board takes the next one.
"""

import random
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from pointctl.boards import deploy, flash, image, plan, repl_link
from pointctl.boards.connection import Connection
from pointctl.boards.deploy import Deployment, Firmware
from pointctl.boards.kinds import BoardKind
from pointctl.boards.link import Link
from pointctl.boards.remote_board import Facts, RemoteBoard
from pointctl.errors import PointctlError
from tests.fakeboard.board import FakeBoard, Faults, fake_board
from tests.faults.bench import Row, timed

KINDS = ("esp32", "quecpython")
FAULTS = ("unplugged", "mute", "flash full", "Ctrl-C")
CASES = 50  # of each
WORKERS = 4  # they wait for lines, not for processors
ANSWER_S = 3
STEP_S = 6  # a link's own patience with a mute board, which is 60 s for people
PATIENT_S = 30  # where no fault is wanted
HANG_S = 90  # more than all deadlines of one deployment that a fault can meet
# Some of what is changed from version to version: below, above, and started first.
MARKED = ("point/url.py", "point/imei.py", "point/session.py", "board.py", "boot.py")
PROGRAM = """
import boot, board, extra
from point import imei, session, url
parts = [boot, board, extra, imei, session, url]
print("RUNS", sorted(set([part.VERSION for part in parts] + [%d])))
"""
_FACTS = Facts("micropython", "1.25.0", "", 6, 0, 0, "/", False)


class Nervous:
    """A link whose user presses Ctrl-C after so many calls."""

    def __init__(self, link: Link, calls: Iterator[int]) -> None:
        self._link = link
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._link, name)

        def call(*given: Any) -> Any:
            if next(self._calls) == 0:
                raise KeyboardInterrupt
            return found(*given)

        return call if callable(found) else found


@cache
def firmware(kind: str, version: int) -> Firmware:
    """The real one, with a mark in it that differs; odd versions have a module more."""
    files = dict(image.build(kind, _FACTS, source=True).files)
    mark = f"\nVERSION = {version}\n".encode()
    for path in MARKED:
        files[path] += mark
    files["extra.py"] = mark
    if version % 2:
        files["point/odd.py"] = mark
    files[flash.program(kind)] = (PROGRAM % version).encode()
    return Firmware(kind, str(version), files)


def fill(folder: Path, made: Firmware) -> None:
    """A flash as a deployment of this leaves it."""
    root = folder / flash.root(made.board).strip("/")
    for path, data in {**made.files, plan.MANIFEST: made.manifest.encode()}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


def size(folder: Path) -> int:
    """The bytes of all files in it."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def attempt(
    board: FakeBoard, made: Firmware, answer_s: float, calls: Iterator[int]
) -> None:
    """One deployment, as the command does it. Raises what it raises."""
    with Connection(board.port, BoardKind(made.board), answer_s) as connection:

        def seen(found: RemoteBoard) -> RemoteBoard:
            link: Any = Nervous(found.link, calls)
            return RemoteBoard(link, found.root, answer_s)

        there = seen(connection.board)
        state = deploy.inspect(there, made.files)
        Deployment(
            there,
            made,
            {},
            restart_to_repl=lambda sign: seen(connection.restart_to_repl(sign)),
            report=lambda *_: None,
        ).carry_out(state)


def never() -> Iterator[int]:
    """Nobody presses Ctrl-C."""
    while True:
        yield 1


def after(count: int) -> Iterator[int]:
    """Somebody does, once."""
    yield from range(count, -1, -1)
    yield from never()


def faulty(board: FakeBoard, made: Firmware, fault: str, rng: random.Random) -> str:
    """One deployment with a fault; why it is bad, or ""."""
    faults, calls = Faults(), never()
    if fault == "unplugged":
        faults = replace(faults, unplug_after=rng.randrange(1, 40_000))
    elif fault == "mute":
        faults = replace(faults, mute_after=rng.randrange(1, 40_000))
    elif fault == "flash full":
        faults = replace(faults, flash_bytes=size(board.flash) + rng.randrange(9_000))
    else:
        calls = after(rng.randrange(120))
    restart(board, faults)
    hung = threading.Timer(HANG_S, board.unplug)
    hung.start()
    begun = time.monotonic()
    try:
        attempt(board, made, ANSWER_S, calls)
    except (PointctlError, KeyboardInterrupt):
        pass
    finally:
        hung.cancel()
    return "it hung" if time.monotonic() - begun >= HANG_S else ""


def restart(board: FakeBoard, faults: Faults) -> str:
    """Cut its power and give it back; what it says until it is at its prompt."""
    board.unplug()
    board.faults = faults
    said = len(board.output)
    board.plug()
    deadline = time.monotonic() + PATIENT_S
    while 'Type "help()"' not in board.output[said:]:
        if time.monotonic() > deadline:
            raise TimeoutError(board.output[said:])
        time.sleep(0.01)
    return board.output[said:]


def boots_a_mix(said: str) -> str:
    """What is wrong with what a board prints when it boots, or ""."""
    ran = re.findall(r"RUNS (\[.*\])", said)
    if "Traceback" in said or any("," in versions for versions in ran):
        return f"it boots a mix: {said[-500:]}"
    return ""


def differs(flash_folder: Path, made: Firmware) -> str:
    """What of this version is not as it is deployed to an empty board, or ""."""
    with tempfile.TemporaryDirectory() as name:
        fill(Path(name), made)
        found, wanted = contents(flash_folder), contents(Path(name))
    wrong = [path for path, _ in found.items() ^ wanted.items()]
    return f"not as it should be: {sorted(set(wrong))}" if wrong else ""


def contents(folder: Path) -> Mapping[str, bytes]:
    """Every file in it."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def case(fault: str, seed: str) -> str:
    """A board's life: faults one after another, then a deployment without; why it is
    bad, or ""."""
    rng = random.Random(seed)
    kind = rng.choice(KINDS)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "flash"
        place.mkdir()
        fill(place, firmware(kind, 1))
        with fake_board(kind, place) as board:
            for _ in range(rng.choice((1, 1, 2))):
                wrong = faulty(board, firmware(kind, rng.choice((2, 3))), fault, rng)
                wrong = wrong or boots_a_mix(restart(board, Faults()))
                if wrong:
                    return f"seed {seed}: {wrong}"
            last = firmware(kind, 2)
            try:
                attempt(board, last, PATIENT_S, never())
            except PointctlError as error:  # a port that came and went again
                if "give the same command again" not in str(error):
                    raise
                attempt(board, last, PATIENT_S, never())
            said = restart(board, Faults())
        wrong = "" if "RUNS [2]" in said else f"it does not run: {said[-500:]}"
        wrong = wrong or differs(place, last)
        shutil.rmtree(place)
    return f"seed {seed}: {wrong}" if wrong else ""


def deployments(fault: str, seed: int, cases: int) -> Row:
    """So many boards' lives with one kind of fault."""
    repl_link._STEP_S = repl_link._HASH_S = STEP_S
    with timed(f"deployment, {fault}") as row, ThreadPoolExecutor(WORKERS) as pool:
        seeds = [f"{seed}-{fault}-{number}" for number in range(cases)]
        for wrong in pool.map(partial(judged, fault), seeds):
            row.check(not wrong, wrong)
    return row


def judged(fault: str, seed: str) -> str:
    """A case that breaks down is a failure like any other."""
    try:
        return case(fault, seed)
    except Exception as error:
        return f"seed {seed}: {type(error).__name__}: {error}"


def suites(seed: int, short: bool) -> Iterator[Callable[[], Row]]:
    """One job for each kind of fault."""
    for fault in FAULTS:
        yield partial(deployments, fault, seed, 3 if short else CASES)
