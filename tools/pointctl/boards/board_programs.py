"""Programs that run at a board's REPL, in the dialect that all boards share.

QuecPython's firmware is MicroPython 1.13, without plain module names: u-names are tried
first. No program here sends a secret: the board itself opens its credentials, and says
only whose they are.
"""

from collections.abc import Mapping

MARK = "=pointctl="  # starts each line of an answer: a board's modules may print, too

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

def _answer(value):
    print("%s" + json.dumps(value))

def _size(path):
    try:
        found = os.stat(path)
    except OSError:
        return None
    return None if found[0] & 0x4000 else found[6]
""".replace("%s", MARK)

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
            _answer([name, size, _hash(root + name)])
"""

# Every file below a folder, also in the folders in it, by its path from there on.
_LIST = """
def _walk(folder, inside, found):
    for name in os.listdir((folder + inside)[:-1]):
        if os.stat(folder + inside + name)[0] & 0x4000:
            _walk(folder, inside + name + "/", found)
        else:
            found.append(inside + name)

def _list(folder):
    found = []
    try:
        _walk(folder, "", found)
    except OSError:
        pass
    _answer(found)
"""

# An empty folder is removed, too: it would hide a module of the same name.
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

_RENAME = """
def _rename(old, new):
    os.rename(old, new)
"""

_FREE = """
def _free(root):
    found = os.statvfs(root)
    _answer([found[0], found[0] * found[3]])
"""

_FACTS = """
def _facts():
    import gc
    gc.collect()
    made = sys.implementation
    _answer({
        "runtime": made[0],
        "version": ".".join([str(part) for part in made[1][:3]]),
        "platform": sys.platform,
        "mpy": getattr(made, "_mpy", getattr(made, "mpy", 0)) & 255,
        "heap_free": gc.mem_free(),
        "heap": gc.mem_free() + gc.mem_alloc(),
        "folder": os.getcwd(),
        "has_usr": "usr" in os.listdir("/"),
    })
"""

# Modules that were loaded before may be of another version, or of a program that was
# interrupted.
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
    _answer(board.imei())
"""

# The key is 32 random bytes: nobody can find it by its hash.
_CLAIM_KEY = """
def _claim_key():
    import board
    from point.digest import sha256
    from point.errors import PointError
    from point.seal import hexed
    try:
        _answer(hexed(sha256(board.claim_key())))
    except PointError:
        _answer(None)
"""

_CHECK_SETUP = """
def _check_setup(root):
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
        _answer(None)
    except PointError as error:
        _answer(str(error))
"""

_CREDENTIALS = """
def _credentials():
    import board
    from point.store import Store
    store = Store(board.DIR, board.flash_key())
    record = store.load()
    if record is None:
        _answer(None)
    else:
        device = record["device"]
        _answer([device["productKey"], device["deviceName"], store.confirmed])
"""

# By the name of the function that is called.
_PROGRAMS = {
    "_survey": _SURVEY,
    "_list": _LIST,
    "_remove": _REMOVE,
    "_folders": _FOLDERS,
    "_rename": _RENAME,
    "_free": _FREE,
    "_facts": _FACTS,
    "_imei": _FRESH + _IMEI,
    "_claim_key": _FRESH + _CLAIM_KEY,
    "_check_setup": _FRESH + _CHECK_SETUP,
    "_credentials": _FRESH + _CREDENTIALS,
}


def all_programs() -> Mapping[str, str]:
    """Return all programs by name, for the check of their dialect."""
    return {name: _PRELUDE + text for name, text in _PROGRAMS.items()}


def program(name: str, *arguments: object) -> str:
    """Return the program that calls `name` with these arguments."""
    return f"{_PRELUDE}{_PROGRAMS[name]}\n{_call(name, *arguments)}\n"


def installed_program(name: str, root: str, *arguments: object) -> str:
    """Return the same for a program that loads the component installed in `root`."""
    calls = f"{_call('_fresh', root)}\n{_call(name, *arguments)}"
    return f"{_PRELUDE}{_PROGRAMS[name]}\n{calls}\n"


def _call(name: str, *arguments: object) -> str:
    return f"{name}({', '.join(map(repr, arguments))})"
