"""What is asked of a board at its REPL: programs in the dialect that all boards have.

QuecPython's firmware is MicroPython 1.13, without plain module names: u-names come
first. Nothing here reads a secret: the board itself opens its credentials, and tells
whose they are.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pointctl.boards.link import BoardError, Link, LinkError, Progress
from pointctl.boards.plan import OURS, Found

_MARK = "=pointctl="  # a board's modules may print, too

_PRELUDE = """
def _any(*names):
    for name in names:
        try:
            return __import__(name)
        except ImportError:
            pass
    raise ImportError(names[0])

os = _any("uos", "os")
sys = _any("usys", "sys")
json = _any("ujson", "json")

def _tell(value):
    print("%s" + json.dumps(value))

def _size(path):
    try:
        found = os.stat(path)
    except OSError:
        return None
    return None if found[0] & 0x4000 else found[6]
""".replace("%s", _MARK)

_SURVEY = """
binascii = _any("ubinascii", "binascii")
hashlib = _any("uhashlib", "hashlib")
def _hash(path):
    made = hashlib.sha256()
    with open(path, "rb") as file:
        while True:
            data = file.read(512)
            if not data:
                return binascii.hexlify(made.digest()).decode()
            made.update(data)

def _survey(root, names):
    for name in names:
        size = _size(root + name)
        if size is not None:
            _tell([name, size, _hash(root + name)])
"""

# Every file below a folder, also in the folders in it; paths from there on.
_LISTED = """
def _walk(folder, inside, found):
    for name in os.listdir((folder + inside)[:-1]):
        if os.stat(folder + inside + name)[0] & 0x4000:
            _walk(folder, inside + name + "/", found)
        else:
            found.append(inside + name)

def _listed(folder):
    found = []
    try:
        _walk(folder, "", found)
    except OSError:
        pass
    _tell(found)
"""

# An empty folder must go too: it would hide a module of the same name.
_REMOVE = """
def _remove(root, names):
    for name in names:
        try:
            os.remove(root + name)
        except OSError:
            if _size(root + name) is not None:
                raise
    for name in names:
        while "/" in name:
            name = name[: name.rfind("/")]
            try:
                os.rmdir(root + name)
            except OSError:
                break
"""

_FOLDERS = """
def _folders(root, names):
    for name in names:
        try:
            os.mkdir(root + name)
        except OSError:
            os.stat(root + name)
"""

_FREE = """
def _free(root):
    found = os.statvfs(root)
    _tell([found[0], found[0] * found[3]])
"""

_FACTS = """
def _facts():
    import gc
    gc.collect()
    made = sys.implementation
    _tell({
        "runtime": made[0],
        "version": ".".join([str(part) for part in made[1][:3]]),
        "platform": sys.platform,
        "mpy": getattr(made, "_mpy", getattr(made, "mpy", 0)) & 255,
        "heap_free": gc.mem_free(),
        "heap": gc.mem_free() + gc.mem_alloc(),
        "folder": os.getcwd(),
        "usr": "usr" in os.listdir("/"),
    })
"""

# What was loaded before is of another version, or of a program that was interrupted.
_FRESH = """
def _fresh(root):
    for name in list(sys.modules):
        if name == "board" or name.split(".")[0] == "point":
            sys.modules.pop(name)
    folder = root if root == "/" else root[:-1]
    if folder not in sys.path:
        sys.path.append(folder)
"""

_IMEI = """
def _imei():
    import board
    _tell(board.imei())
"""

# 32 random bytes: their hash says nothing of them.
_CLAIM_KEY = """
def _claim_key():
    import board
    from point.digest import sha256
    from point.errors import PointError
    from point.seal import hexed
    try:
        _tell(hexed(sha256(board.claim_key())))
    except PointError:
        _tell(None)
"""

_TRIAL = """
def _trial(root):
    import board
    from point import access, settings
    from point.errors import PointError
    from point.store import read_setup
    names = os.listdir(root if root == "/" else root[:-1])
    try:
        if "settings.json" in names:
            settings.parse(read_setup(board.DIR, "settings.json"))
        if "board.json" in names:
            import options
            options.read(board.DIR)
        _tell(None)
    except PointError as error:
        _tell(str(error))
"""

_CREDENTIALS = """
def _credentials():
    import board
    from point.store import Store
    store = Store(board.DIR, board.flash_key())
    record = store.load()
    if record is None:
        _tell(None)
    else:
        device = record["device"]
        _tell([device["productKey"], device["deviceName"], store.confirmed])
"""

_PROGRAMS = {
    "_survey": _SURVEY,
    "_listed": _LISTED,
    "_remove": _REMOVE,
    "_folders": _FOLDERS,
    "_free": _FREE,
    "_facts": _FACTS,
    "_fresh": _FRESH,
    "_imei": _FRESH + _IMEI,
    "_claim_key": _FRESH + _CLAIM_KEY,
    "_trial": _FRESH + _TRIAL,
    "_credentials": _FRESH + _CREDENTIALS,
}
_AT_ONCE = 16  # files that are hashed within one answer: a mute board is noticed soon
_LOADING = 3  # answers' time, to load the component, perhaps from source
_MODEM_S = 90  # one that has to be switched on first


@dataclass(frozen=True)
class Facts:
    """What a board says of itself, whatever is installed."""

    runtime: str
    version: str
    platform: str
    mpy: int  # the version of .mpy that it loads; 0: none
    heap_free: int  # bytes, at the REPL
    heap: int
    folder: str  # where it starts
    usr: bool  # there is a /usr, where QuecPython has its programs


@dataclass(frozen=True)
class Kept:
    """Credentials in a board's flash, as the board itself opened them."""

    product_key: str
    device_name: str
    confirmed: bool  # they have connected once


def programs() -> Mapping[str, str]:
    """All that runs on boards, by the name that is called; for the dialect's gate."""
    return {name: _PRELUDE + text for name, text in _PROGRAMS.items()}


class OnBoard:
    """A board behind a link; paths are relative to `root`, which ends in /.

    Each answer may take `answer_s`. What the board refuses is a BoardError, what is
    wrong with the cable a LinkError.
    """

    def __init__(self, link: Link, root: str, answer_s: float) -> None:
        self.link = link
        self.root = root
        self._answer_s = answer_s

    def survey(
        self, names: Collection[str], *, whole: bool = False
    ) -> dict[str, Found]:
        """Those of the files that are there, hashed by the board.

        With `whole` also what else is in the folder that is all ours, point/, and in
        the folders in it.
        """
        wanted = set(names)
        if whole:
            wanted |= {OURS + name for name in self._ask("_listed", self.root + OURS)}
        found: dict[str, Found] = {}
        for part in _batched(sorted(wanted), _AT_ONCE):
            call = _call("_survey", self.root, part)
            for name, size, sha256 in self._answers("_survey", call, self._answer_s):
                found[name] = Found(size, sha256)
        return found

    def free(self) -> tuple[int, int] | None:
        """(bytes in a block, bytes free) of the flash; None where nobody knows."""
        try:
            block, free = self._ask("_free", self.root)
        except BoardError:
            return None
        return block, free

    def read(self, name: str) -> bytes | None:
        """A file, or None if it is not there."""
        path = self.root + name
        return None if self.link.sha256(path) is None else self.link.read(path)

    def put(self, name: str, data: bytes, progress: Progress | None = None) -> None:
        """Write a file; the caller compares hashes."""
        self.link.write(self.root + name, data, progress)

    def sha256(self, name: str) -> str | None:
        """The hash of a file, computed by the board; None if it is not there."""
        return self.link.sha256(self.root + name)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, in this order, also those that are not there."""
        self._answers(
            "_remove", _call("_remove", self.root, list(names)), self._answer_s
        )

    def make_folders(self, names: Iterable[str]) -> None:
        """Make the folders that files of these names are in."""
        folders: set[str] = set()
        for name in names:
            parts = name.split("/")[:-1]
            folders |= {"/".join(parts[: n + 1]) for n in range(len(parts))}
        call = _call("_folders", self.root, sorted(folders))
        self._answers("_folders", call, self._answer_s)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name that is free."""
        paths = f"{self.root + old!r}, {self.root + new!r}"
        self.link.run(f"{_PRELUDE}\nos.rename({paths})\n", self._answer_s)

    def facts(self) -> Facts:
        """What it runs, and on what."""
        return Facts(**self._ask("_facts"))

    def imei(self) -> str:
        """Its IMEI, as the adapter that is installed reads it."""
        return str(self._installed("_imei", _MODEM_S))

    def claim_key_hash(self) -> str | None:
        """SHA-256 in hex of the claim key that its adapter finds, wherever it is."""
        found = self._installed("_claim_key", _MODEM_S)
        return None if found is None else str(found)

    def trial(self) -> str | None:
        """What the component that is installed says against its setup, if anything."""
        found = self._installed("_trial", _LOADING * self._answer_s, self.root)
        return None if found is None else str(found)

    def credentials(self) -> Kept | None:
        """The credentials that its own component opens; None if there are none."""
        found = self._installed("_credentials", _LOADING * self._answer_s)
        return Kept(*found) if found else None

    def _installed(self, name: str, timeout_s: float, *given: Any) -> Any:
        """The answer of a program that wants what is installed, loaded anew."""
        call = f"_fresh({self.root!r})\n{_call(name, *given)}"
        return self._last(name, call, timeout_s)

    def _ask(self, name: str, *given: Any) -> Any:
        return self._last(name, _call(name, *given), self._answer_s)

    def _last(self, name: str, call: str, timeout_s: float) -> Any:
        answers = self._answers(name, call, timeout_s)
        if not answers:
            raise self._garbled()
        return answers[-1]

    def _answers(self, name: str, call: str, timeout_s: float) -> list[Any]:
        said = self.link.run(f"{_PRELUDE}{_PROGRAMS[name]}\n{call}\n", timeout_s)
        lines = [line.strip() for line in said.splitlines()]
        told = [line.removeprefix(_MARK) for line in lines if line.startswith(_MARK)]
        try:
            return [json.loads(line) for line in told]
        except ValueError:
            raise self._garbled() from None

    def _garbled(self) -> LinkError:
        return LinkError(
            f"what comes from {self.link.port} is garbled: check the cable, and that "
            "nothing else uses the port; then try again"
        )


def _batched(names: Sequence[str], count: int) -> Iterator[list[str]]:
    """So many of them at a time."""
    for start in range(0, len(names), count):
        yield list(names[start : start + count])


def _call(name: str, *given: Any) -> str:
    return f"{name}({', '.join(map(repr, given))})"
