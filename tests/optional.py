"""What tests use and a machine may lack: the one list, and what to install for each.

`tests.runtimes.need` skips a test that lacks its part, and fails it under CI.
`python3 tests/optional.py` prints the Debian packages that are missing here, for
.ci/run: so this file needs nothing but Python itself.

The packages of pyproject.toml's [dev] are not optional: `make test` installs them.
"""

import ctypes.util
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Debian keeps servers where only root's PATH looks.
_SYSTEM = ("/usr/sbin", "/sbin")


@dataclass(frozen=True)
class Part:
    """A program, a shared library or both, and the Debian packages they come in."""

    package: str
    program: str = ""
    places: str = ""  # where else it may be: a pattern, below /
    library: str = ""

    def find(self) -> Path | None:
        """Where the program is, or else the library's name; None if one is missing."""
        library = ctypes.util.find_library(self.library) if self.library else None
        if self.library and not (library and self.program):
            return Path(library) if library else None
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SYSTEM])
        places = Path("/").glob(self.places) if self.places else ()
        newest = max(places, key=_version, default=None)
        named = shutil.which(self.program, path=path)
        return newest or (Path(named) if named else None)


def _version(path: Path) -> list[int]:
    return [int(part) for part in path.parts if part.isdigit()]


PARTS = {
    # The library is what drives it wants: Chromium itself does without.
    "chromium": Part("chromium libatomic1", "chromium", library="atomic"),
    "curl": Part("curl", "curl"),
    "dpkg-deb": Part("dpkg", "dpkg-deb"),
    "faketime": Part("faketime", "faketime"),
    "git": Part("git", "git"),
    "libzbar": Part("libzbar0", library="zbar"),
    "make": Part("make", "make"),
    "mosquitto": Part("mosquitto", "mosquitto"),
    "nginx": Part("nginx", "nginx"),
    "postgresql": Part(
        "postgresql", "initdb", places="usr/lib/postgresql/*/bin/initdb"
    ),
    # Debian's /usr/sbin/rabbitmq-server wants its own folders; this one asks for them.
    "rabbitmq": Part("rabbitmq-server", places="usr/lib/rabbitmq/bin/rabbitmq-server"),
    "systemd-analyze": Part("systemd", "systemd-analyze"),
}


def missing() -> Iterable[str]:
    """The packages to install so that nothing is skipped."""
    return [part.package for part in PARTS.values() if part.find() is None]


if __name__ == "__main__":
    print("\n".join(missing()))
