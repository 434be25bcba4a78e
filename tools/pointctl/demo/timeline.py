"""What happened where, in the order in which it was seen."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from pointctl.errors import PointctlError

_STYLES = {"board": "cyan", "server": "green", "broker": "magenta", "host": "yellow"}


@dataclass(frozen=True)
class Event:
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
        self._events: list[Event] = []
        self._began = time.monotonic()

    def chapter(self, title: str) -> None:
        """Begin anew at 0 ms. What is waited for from now on happens after this."""
        with self._changed:
            self._events = []
            self._began = time.monotonic()
            if self._console:
                self._console.rule(f"[bold]{title}", align="left")

    def add(self, who: str, name: str, detail: str = "") -> None:
        """Say that `who` did something just now."""
        with self._changed:
            ms = (time.monotonic() - self._began) * 1000
            event = Event(ms, who, name, detail)
            self._events.append(event)
            if self._console:
                self._console.print(_line(event))
            self._changed.notify_all()

    def require(self, who: str, name: str, alive: Callable[[], bool]) -> Event:
        """The first such event of this chapter.

        Raises PointctlError once `alive()` is False, with the last that was heard.
        """
        with self._changed:
            while True:
                found = [e for e in self._events if (e.who, e.name) == (who, name)]
                if found:
                    return found[0]
                if not alive():
                    heard = [f"{e.who} {e.name} {e.detail}" for e in self._events[-5:]]
                    raise PointctlError(
                        f"waited in vain for {name!r} from the {who}; last: "
                        + "; ".join(heard)
                    )
                self._changed.wait(0.1)

    def count(self, who: str, name: str) -> int:
        """How often that happened in this chapter."""
        with self._changed:
            return sum((e.who, e.name) == (who, name) for e in self._events)


def _line(event: Event) -> Text:
    line = Text(f"{event.ms:9.1f} ms  ")
    line.append(f"{event.who:<7}", _STYLES[event.who])
    line.append(f"{event.name} ", "bold")
    return line.append(event.detail)
