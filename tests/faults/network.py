"""The connection to a real server cut, reset or stalled after each byte, both ways.

Every point is a first boot of a board of its own. After the fault it has the credential
or a typed error, in time; the next try, through a network that works, has the same one.
"""

import contextlib
import queue
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from pointctl.registry.storage.models import Policy
from tests.faults.bench import Row, timed
from tests.faults.field import BoardProcess, Field, field
from tests.faults.proxy import DIRECTIONS, FIN, RESET, STALL, Fault, Proxy

LATE_MS = 500
TIMEOUT_S = {FIN: 10, RESET: 10, STALL: 1}
WORKERS = {FIN: 3, RESET: 3, STALL: 12}  # one that stalls waits and costs nothing
MARGIN = 4  # bytes: a signature is now and then shorter


class Worker:
    """A board's process behind a proxy of its own."""

    def __init__(self, ground: Field, folder: Path) -> None:
        self._ground = ground
        self.proxy = Proxy(ground.port)
        self._process = BoardProcess(folder)

    def live(self, number: int, mode: str, fresh: bool) -> dict:
        """One ensure() of board `number`."""
        given = self._ground.board(number)
        port, timeout = self.proxy.port, TIMEOUT_S[mode]
        return self._process.live(**given, port=port, timeout=timeout, fresh=fresh)

    def close(self) -> None:
        self._process.close()
        self.proxy.close()


def lengths(ground: Field, folder: Path) -> dict[str, int]:
    """How many bytes a whole exchange takes each way."""
    worker = Worker(ground, folder)
    try:
        first = worker.live(0, FIN, True)
        assert first["code"] == "00000", first
        return {way: worker.proxy.passed[way] + MARGIN for way in DIRECTIONS}
    finally:
        worker.close()


def one(worker: Worker, number: int, fault: Fault) -> tuple[list[str], str, str]:
    """(what was wrong, how the cut try ended, the secret) of one point."""
    worker.proxy.fault = fault
    first = worker.live(number, fault.mode, True)
    worker.proxy.fault = None
    second = worker.live(number, fault.mode, False)
    wrong = []
    if first["escaped"] or second["escaped"]:
        wrong.append("escaped")
    if first["ms"] > TIMEOUT_S[fault.mode] * 1000 + LATE_MS:
        wrong.append("late")
    given = first["code"] == "00000"
    if given != bool(first["kept"]) or not (given or first["error"]):
        wrong.append("neither credential nor typed error")
    if first["kept"] not in (None, second["secret"]):
        wrong.append("another credential")
    if second["code"] != "00000" or not second["secret"]:
        wrong.append("the next try failed")
    if second["kept"] != second["secret"]:
        wrong.append("not kept")
    if wrong:
        wrong += [str(fault), str(first), str(second)]
    return wrong, "00000" if given else first["error"], second["secret"]


def every(policy: Policy, mode: str, step: int) -> Row:
    """The faults of one mode, at every `step`th byte of both directions."""
    name = f"network {mode}, {policy.value}, every {step if step > 1 else ''} byte"
    with timed(" ".join(name.split())) as row, contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ground = stack.enter_context(field(policy, 6000))
        whole = lengths(ground, folder / "first")
        faults = [
            Fault(way, at, mode)
            for way in DIRECTIONS
            for at in range(0 if mode == STALL else 1, whole[way], step)
        ]
        idle: queue.Queue[Worker] = queue.Queue()
        for number in range(WORKERS[mode]):
            idle.put(Worker(ground, folder / str(number)))

        def point(numbered: tuple[int, Fault]) -> tuple[list[str], str, str]:
            worker = idle.get()
            try:
                return one(worker, numbered[0] + 1, numbered[1])
            finally:
                idle.put(worker)

        with ThreadPoolExecutor(WORKERS[mode]) as pool:
            points = list(pool.map(point, enumerate(faults)))
        ends: dict[str, int] = {}
        for wrong, end, _ in points:
            row.check(not wrong, " ".join(wrong))
            ends[end] = ends.get(end, 0) + 1
        issued = ground.secrets()
        if sorted(secret for _, secret in issued[1:]) != sorted(p[2] for p in points):
            row.fail("the registry holds other secrets than the boards")
        if len({imei for imei, _ in issued}) != len(issued):
            row.fail("a board has two credentials")
        ended = ", ".join(f"{end} {ends[end]}" for end in sorted(ends))
        row.note = f"{whole['up']} bytes up, {whole['down']} down; {ended}"
        while not idle.empty():
            idle.get().close()
    return row


def suites(seed: int, short: bool) -> Iterator[Callable[[], Row]]:
    """Every byte of what boards do by default; fewer of the other policies."""
    steps = {
        (Policy.DEVICE_KEY, STALL): 1,
        (Policy.DEVICE_KEY, FIN): 1,
        (Policy.DEVICE_KEY, RESET): 1,
        (Policy.PRODUCT_SECRET, FIN): 7,
        (Policy.PRODUCT_SECRET, RESET): 7,
        (Policy.OPEN, FIN): 3,
        (Policy.OPEN, RESET): 3,
        (Policy.OPEN, STALL): 7,
    }
    if short:
        steps = {(Policy.DEVICE_KEY, FIN): 97}
    for (policy, mode), step in steps.items():
        yield partial(every, policy, mode, step)
