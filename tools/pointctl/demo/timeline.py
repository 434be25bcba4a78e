"""The events of the demo, in the order in which they came."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from pointctl.errors import PointctlError

_STYLES = {"board": "cyan", "server": "green", "broker": "magenta", "host": "yellow"}


@dataclass(frozen=True)
class TimelineEvent:
    """One thing that `who` did, `ms` after the chapter began."""

    ms: float
    who: str
    name: str
    detail: str = ""


class Timeline:
    """Collects events from several threads and, given a console, shows them live."""

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self._changed = threading.Condition()
        self._events: list[TimelineEvent] = []
        self._began = time.monotonic()

    def chapter(self, title: str) -> None:
        """Start a chapter at 0 ms; require() and count() look at this chapter only."""
        with self._changed:
            self._events = []
            self._began = time.monotonic()
            if self._console:
                self._console.rule(f"[bold]{title}", align="left")

    def add(self, who: str, name: str, detail: str = "") -> None:
        """Add what `who` did just now."""
        with self._changed:
            ms = (time.monotonic() - self._began) * 1000
            event = TimelineEvent(ms, who, name, detail)
            self._events.append(event)
            if self._console:
                self._console.print(_line(event))
            self._changed.notify_all()

    def require(self, who: str, name: str, alive: Callable[[], bool]) -> TimelineEvent:
        """Wait for the first such event of this chapter, and return it.

        Raises PointctlError, with the last events, once `alive()` is False.
        """
        with self._changed:
            while True:
                found = [e for e in self._events if (e.who, e.name) == (who, name)]
                if found:
                    return found[0]
                if not alive():
                    last = [f"{e.who} {e.name} {e.detail}" for e in self._events[-5:]]
                    raise PointctlError(
                        f"the {who} never came to {name!r}; the last events: "
                        + "; ".join(last)
                    )
                self._changed.wait(0.1)

    def count(self, who: str, name: str) -> int:
        """How many such events this chapter has."""
        with self._changed:
            return sum((e.who, e.name) == (who, name) for e in self._events)


def _line(event: TimelineEvent) -> Text:
    line = Text(f"{event.ms:9.1f} ms  ")
    line.append(f"{event.who:<7}", _STYLES[event.who])
    line.append(f"{event.name} ", "bold")
    return line.append(event.detail)
