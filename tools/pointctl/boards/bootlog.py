"""Read the log that a board prints while it boots."""

import re
from dataclasses import dataclass

from point.errors import FETCH_FAILED, NO_CODE_IN_REPLY, SUCCESS
from pointctl.errors import PointctlError, Refused

# "[   117 ms] credentials 00000 server": the code, then where they came from or the
# error.
_CREDENTIALS = re.compile(r"\[ *\d+ ms\] credentials (\S+) ?(.*)")
# main.py prints these only after it has credentials. The line before may be lost: a
# USB port goes away while its board restarts, and what is printed meanwhile is lost.
_LATER = re.compile(r"\[ *\d+ ms\] (connected|lost|published|received) ")
UNHEARD = "unheard"
# MicroPython prints its banner when no program runs any more.
_BANNER = ("MicroPython v", 'Type "help()"')


@dataclass(frozen=True)
class BootOutcome:
    """The result of a boot: the code of PointAccess.ensure(), and its detail."""

    code: str
    detail: str  # "server", "flash", "unheard", or the error

    def check(self) -> None:
        """Raise Refused or PointctlError if the board has no credentials."""
        if self.code == SUCCESS:
            return
        has_failed = self.code in (FETCH_FAILED, NO_CODE_IN_REPLY)
        raise (PointctlError if has_failed else Refused)(
            f"no credentials: {self.code} {self.detail}"
        )


def parse_outcome(line: str) -> BootOutcome | None:
    """Return what a line says about credentials, None for all other lines."""
    if match := _CREDENTIALS.search(line):
        return BootOutcome(match[1], match[2].strip())
    return BootOutcome(SUCCESS, UNHEARD) if _LATER.search(line) else None


def has_published(line: str) -> bool:
    """Whether a line says that the broker has accepted a message of the board."""
    match = _LATER.search(line)
    return match is not None and match[1] == "published"


def is_banner(line: str) -> bool:
    """Whether the board is back at its prompt: main.py has ended, or is missing."""
    return line.lstrip().startswith(_BANNER)
