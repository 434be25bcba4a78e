"""Etags: a change can name the version it is for, so that it undoes no other change."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pointctl.errors import Refused

# Members that change by themselves, without a change of a person.
_PASSING = ("enrolled", "open", "devices", "seen_at")


class Changed(Refused):
    """Somebody else has changed the object meanwhile."""


def etag(summary: Mapping[str, Any]) -> str:
    """A short text that is another one after every change of a person."""
    lasting = {name: value for name, value in summary.items() if name not in _PASSING}
    text = json.dumps(lasting, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check(given: str | None, summary: Mapping[str, Any], what: str) -> None:
    """Raise Changed unless `given` is the etag of the summary; None always passes."""
    if given is not None and given != etag(summary):
        raise Changed(f"the {what} has changed meanwhile; read it again")
