"""What is on a board, by its kind, and a folder that holds a board's whole flash."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import point
from pointctl.errors import PointctlError
from pointctl.folder import private_file

_POINT = Path(point.__file__).parent
_NOT_ON_BOARDS = _POINT / "host"  # what only CPython and servers need
CHECKOUT = _POINT.parent  # site-packages, where pointctl was installed from a wheel
_PACKAGED = Path(__file__).parents[1] / "device"
# In a wheel the device files travel inside the package; in a checkout they stand
# beside point/.
_DEVICE = _PACKAGED if _PACKAGED.is_dir() else CHECKOUT

# QuecPython runs /usr/main.py alone, which is its firmware's: it sets the path and then
# imports boot.py and what is main.py elsewhere. All others run both from their root.
_QUECPYTHON = "quecpython"


def root(board: str) -> str:
    """The folder of a board's flash that everything of ours is under; ends in /."""
    return "/usr/" if board == _QUECPYTHON else "/"


def program(board: str) -> str:
    """What main.py of the repository is called on a board, under its root."""
    return "start.py" if board == _QUECPYTHON else "main.py"


def files(board: str, libraries: Path | None = None) -> dict[str, Path]:
    """Where each file of a board of kind `board` is on it, and where it comes from.

    Everything is Python source. `libraries` is a folder whose content becomes lib/, for
    firmware that has no umqtt of its own. What differs from board to board (settings,
    CA, claim key) is not among them. Raises PointctlError if there is no such board.
    """
    firmware = _DEVICE / "firmware" / board
    if not (firmware / "board.py").is_file():
        known = sorted(p.parent.name for p in _DEVICE.glob("firmware/*/board.py"))
        raise PointctlError(f"no board {board!r}; there are {', '.join(known)}")
    found = {"boot.py": _DEVICE / "boot.py", program(board): _DEVICE / "main.py"}
    for source in sorted(_POINT.rglob("*.py")):
        if _NOT_ON_BOARDS not in source.parents:
            found[f"point/{source.relative_to(_POINT).as_posix()}"] = source
    # The board's own come last: they win over what all boards share.
    found |= {source.name: source for source in sorted(firmware.glob("*.py"))}
    for source in sorted(libraries.rglob("*.py")) if libraries else ():
        found[f"lib/{source.relative_to(libraries or source).as_posix()}"] = source
    return {root(board) + name: source for name, source in found.items()}


def assemble(
    folder: Path,
    board: str,
    settings: Mapping[str, Any],
    ca: bytes,
    *,
    claim_key: bytes | None = None,
    libraries: Path | None = None,
) -> None:
    """Fill `folder`, which is made, with what a board of kind `board` runs.

    `settings` becomes settings.json, `ca` (DER) ca.der, `claim_key` claim.key in hex;
    `libraries` is as in files(). Raises PointctlError if there is no such board.
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
