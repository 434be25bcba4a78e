"""The findings that checks report."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WEAK = "weak"  # it works, but may be attacked, or will fail one day
    WRONG = "wrong"  # boards are not served, or others can read a secret


@dataclass(frozen=True)
class Finding:
    """One line of the report; --json prints these names."""

    level: Level
    check: str
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """Make a finding for which nothing has to be done."""
    return Finding(Level.OK, check, found)


def weak(check: str, found: str, remedy: str) -> Finding:
    """Make a finding that should be fixed."""
    return Finding(Level.WEAK, check, found, remedy)


def wrong(check: str, found: str, remedy: str) -> Finding:
    """Make a finding that must be fixed now."""
    return Finding(Level.WRONG, check, found, remedy)
