"""The lists that other tools install from: package.json for mip, manifest.py for
freezing. Both name the files that deployment copies, from the same function."""

import json
from pathlib import Path

import point
from pointctl.boards import flash

# Firmware of QuecPython is built by Quectel alone, so there is nothing to freeze into.
FROZEN_FOR = ("esp32", "unix")

_MANIFEST = '''\
"""What MicroPython freezes, made from what deployment copies by `make docs`.

include("…/manifest.py") freezes point/; include("…/manifest.py", board="esp32") also
that board's adapter, boot.py and main.py.
"""

metadata(version="{version}", license="MIT")
options.defaults(board=None)

package(
    "point",
    files=(
{point}    ),
)
'''


def package_json() -> str:
    """What `mpremote mip install` reads: point/ with all that boards need of it.

    The addresses are relative, so they hold in a checkout and in any copy of the
    repository; each file has its place in the target folder, usually /lib.
    """
    names = [name for name in _sources("esp32") if name.startswith("point/")]
    urls = ",\n".join(f"    {json.dumps([name, name])}" for name in names)
    return f'{{\n  "version": "{point.__version__}",\n  "urls": [\n{urls}\n  ]\n}}\n'


def manifest_py() -> str:
    """The same in MicroPython's manifest language, and the boards' own files."""
    names = sorted(_sources(FROZEN_FOR[0]))
    inside = [name.removeprefix("point/") for name in names if "point/" in name]
    lines = "".join(f'        "{name}",\n' for name in inside)
    text = _MANIFEST.format(version=point.__version__, point=lines)
    return text + "".join(_board(board) for board in FROZEN_FOR)


def _board(board: str) -> str:
    lines = [f'\nif options.board == "{board}":\n']
    for name, source in _sources(board).items():
        if not name.startswith("point/"):
            folder = source.parent.relative_to(flash.CHECKOUT).as_posix()
            base = "" if folder == "." else f', base_path="{folder}"'
            lines.append(f'    module("{name}"{base})\n')
    return "".join(lines)


def _sources(board: str) -> dict[str, Path]:
    """What is on a board, by its path under the board's root."""
    root = flash.root(board)
    return {path.removeprefix(root): file for path, file in flash.files(board).items()}
