"""What a board prints while it boots, as far as the host goes by it."""

import re
from dataclasses import dataclass

from point.errors import FETCH_FAILED, NO_CODE_IN_REPLY, SUCCESS
from pointctl.errors import PointctlError, Refused

# "[   117 ms] credentials 00000 server": the code, and where from or why not.
_CREDENTIALS = re.compile(r"\[ *\d+ ms\] credentials (\S+) ?(.*)")
# What main.py says only once it has credentials. The line before may be lost: a port
# over USB goes away when its board restarts, and what is said meanwhile is unheard.
_LATER = re.compile(r"\[ *\d+ ms\] (connected|lost|published|received) ")
UNHEARD = "unheard"
# A REPL says hello when no program runs any more.
_ENDED = ("MicroPython v", 'Type "help()"')


@dataclass(frozen=True)
class Outcome:
    """What a boot came to: the code of PointAccess.ensure(), and what it says of it."""

    code: str
    detail: str  # "server", "flash", "unheard", or the error

    def check(self) -> None:
        """Raise Refused or PointctlError unless there are credentials."""
        if self.code == SUCCESS:
            return
        failed = self.code in (FETCH_FAILED, NO_CODE_IN_REPLY)
        raise (PointctlError if failed else Refused)(
            f"no credentials: {self.code} {self.detail}"
        )


def outcome_of(line: str) -> Outcome | None:
    """What a line says of credentials, None for all other lines."""
    if said := _CREDENTIALS.search(line):
        return Outcome(said[1], said[2].strip())
    return Outcome(SUCCESS, UNHEARD) if _LATER.search(line) else None


def has_published(line: str) -> bool:
    """Whether a line says that the broker has taken a message of it."""
    said = _LATER.search(line)
    return said is not None and said[1] == "published"


def ended(line: str) -> bool:
    """Whether the board is back at its prompt: main.py has ended, or there is none."""
    return line.lstrip().startswith(_ENDED)
