"""A board's flash folder: the same files in the same places as on the board."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import point
from pointctl.errors import PointctlError
from pointctl.folder import private_file

# Of point/, what only CPython and servers need.
NOT_ON_BOARDS = ("cpython.py", "protocol_server.py")

_POINT = Path(point.__file__).parent
CHECKOUT = _POINT.parent  # site-packages, where pointctl was installed from a wheel
_PACKAGED = Path(__file__).parents[1] / "device"
# In a wheel the device files travel inside the package; in a checkout they stand
# beside point/.
_DEVICE = _PACKAGED if _PACKAGED.is_dir() else CHECKOUT


def assemble(
    folder: Path,
    board: str,
    settings: Mapping[str, Any],
    ca: bytes,
    *,
    claim_key: bytes | None = None,
    libraries: Path | None = None,
) -> None:
    """Fill `folder` with what a board of kind `board` runs.

    `settings` becomes settings.json, `ca` (DER) ca.der, `claim_key` claim.key in hex;
    `libraries` is a folder whose content becomes /lib. Raises PointctlError if there is
    no such board.
    """
    adapter = _DEVICE / "firmware" / board / "board.py"
    if not adapter.is_file():
        known = sorted(p.parent.name for p in _DEVICE.glob("firmware/*/board.py"))
        raise PointctlError(f"no board {board!r}; there are {', '.join(known)}")
    ignore = shutil.ignore_patterns("__pycache__", "*.toml", *NOT_ON_BOARDS)
    shutil.copytree(_POINT, folder / "point", ignore=ignore)
    for source in (_DEVICE / "boot.py", _DEVICE / "main.py", adapter):
        shutil.copy(source, folder)
    if libraries:
        shutil.copytree(libraries, folder / "lib", ignore=ignore)
    (folder / "ca.der").write_bytes(ca)
    if claim_key:
        with private_file(folder / "claim.key") as file:
            file.write(claim_key.hex() + "\n")
    text = json.dumps(dict(settings), indent=2)
    (folder / "settings.json").write_text(text + "\n", encoding="utf-8")
