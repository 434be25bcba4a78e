"""Versions: a change can be tied to what was seen, so that nobody undoes another's."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pointctl.errors import Refused

# What comes and goes by itself, and what no change of a person is about.
_PASSING = ("enrolled", "open", "devices", "seen_at")


class Changed(Refused):
    """Somebody else has changed it meanwhile."""


def etag(summary: Mapping[str, Any]) -> str:
    """A short text that is another one as soon as anything that matters in it is."""
    lasting = {name: value for name, value in summary.items() if name not in _PASSING}
    text = json.dumps(lasting, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check(seen: str | None, summary: Mapping[str, Any], what: str) -> None:
    """Raise Changed unless `seen` is the etag of the summary; None is not asked."""
    if seen is not None and seen != etag(summary):
        raise Changed(f"the {what} has changed meanwhile; look at it again")
