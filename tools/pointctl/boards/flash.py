"""List the files of each kind of board, and assemble a board's flash in a folder."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import point
from pointctl.errors import PointctlError
from pointctl.folder import private_file

_POINT = Path(point.__file__).parent
_NOT_ON_BOARDS = _POINT / "host"  # what only CPython and servers need
CHECKOUT = _POINT.parent  # site-packages, where pointctl was installed from a wheel
_PACKAGED = Path(__file__).parents[1] / "device"
# A wheel has the device files inside the package; a checkout has them beside point/.
_DEVICE = _PACKAGED if _PACKAGED.is_dir() else CHECKOUT

# QuecPython runs /usr/main.py only. That file belongs to firmware/quecpython: it sets
# the path, then imports boot.py and start.py, which is main.py on all other boards.
_QUECPYTHON = "quecpython"


def root(board: str) -> str:
    """Return the folder of a board's flash that holds our files; it ends in /."""
    return "/usr/" if board == _QUECPYTHON else "/"


def program(board: str) -> str:
    """Return the name of the repository's main.py on a board, under its root."""
    return "start.py" if board == _QUECPYTHON else "main.py"


def files(board: str, libraries: Path | None = None) -> dict[str, Path]:
    """Return each file for a board of kind `board`: its path there, and its source.

    Everything is Python source. The content of `libraries` becomes lib/, for firmware
    without umqtt. Files that differ from board to board (settings, CA, claim key) are
    not included. Raises PointctlError for an unknown kind of board.
    """
    firmware = _DEVICE / "firmware" / board
    if not (firmware / "board.py").is_file():
        known = sorted(p.parent.name for p in _DEVICE.glob("firmware/*/board.py"))
        raise PointctlError(
            f"there is no board {board!r}; name one of {', '.join(known)}"
        )
    found = {"boot.py": _DEVICE / "boot.py", program(board): _DEVICE / "main.py"}
    for source in sorted(_POINT.rglob("*.py")):
        if _NOT_ON_BOARDS not in source.parents:
            found[f"point/{source.relative_to(_POINT).as_posix()}"] = source
    # The board's own files come last: they replace what all boards share.
    found |= {source.name: source for source in sorted(firmware.glob("*.py"))}
    for source in sorted(libraries.rglob("*.py")) if libraries else ():
        found[f"lib/{source.relative_to(libraries or source).as_posix()}"] = source
    return {root(board) + name: source for name, source in found.items()}


def assemble(
    folder: Path,
    board: str,
    settings: Mapping[str, object],
    ca: bytes,
    *,
    claim_key: bytes | None = None,
    libraries: Path | None = None,
) -> None:
    """Write all files of a board of kind `board` into `folder`, which is created.

    `settings` becomes settings.json, `ca` (DER) ca.der, `claim_key` claim.key in hex;
    `libraries` is as in files(). Raises PointctlError for an unknown kind of board.
    """
    for path, source in files(board, libraries).items():
        target = folder / path.removeprefix(root(board))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    (folder / "ca.der").write_bytes(ca)
    if claim_key:
        with private_file(folder / "claim.key") as file:
            file.write(claim_key.hex() + "\n")
    text = json.dumps(dict(settings), indent=2)
    (folder / "settings.json").write_text(text + "\n", encoding="utf-8")
