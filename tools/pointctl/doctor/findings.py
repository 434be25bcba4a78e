"""What a check says."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WEAK = "weak"  # it works; somebody may profit, or it will fail one day
    WRONG = "wrong"  # boards are not served, or a secret is open


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    level: Level
    check: str
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """Nothing to do."""
    return Finding(Level.OK, check, found)


def weak(check: str, found: str, remedy: str) -> Finding:
    """Better be changed."""
    return Finding(Level.WEAK, check, found, remedy)


def wrong(check: str, found: str, remedy: str) -> Finding:
    """To be mended now."""
    return Finding(Level.WRONG, check, found, remedy)
