"""Reading what each program prints: an event for the timeline, or None to skip it."""

import json
import re
from typing import Any, NamedTuple


class LineEvent(NamedTuple):
    """What a line of a program says."""

    name: str
    detail: str


_MOSQUITTO = (
    # "2026-11-21T12:00:00: " precedes each.
    (re.compile(r"New client connected from \S+ as (\S+)"), "accepts"),
    (re.compile(r"Client (\S+) disconnected, not authorised"), "refuses"),
    (re.compile(r"Client (\S+) (?:disconnected|closed its connection)"), "lets go of"),
)
# As main.py prints it: milliseconds since power-up, the event, what goes with it.
_BOARD = re.compile(r"\[ *(\d+) ms\] (\w+) ?(.*)")


def read_board(line: str) -> LineEvent:
    """Read a line of main.py; other lines (a traceback) are shown as they are."""
    found = _BOARD.match(line)
    return LineEvent(found[2], found[3]) if found else LineEvent("prints", line)


def read_server(line: str) -> LineEvent | None:
    """Read a line of the provisioning server's log, or of the sandbox's."""
    event = _parse_json(line)
    if event.get("event") == "ready":
        return LineEvent("ready", str(event["port"]))
    if event.get("event") == "access":
        return LineEvent("access", f"IMEI {event['imei']} gets {event['code']}")
    if event.get("level") in ("warning", "error", "critical"):
        return LineEvent("says", str(event.get("event")))
    return None


def read_mosquitto(line: str) -> LineEvent | None:
    """Read a line of mosquitto's log."""
    for pattern, name in _MOSQUITTO:
        found = pattern.search(line)
        if found and found[1] != "<unknown>":  # our own check whether it is up
            return LineEvent(name, found[1])
    return None


def read_embedded(line: str) -> LineEvent | None:
    """Read a line of the embedded broker's log."""
    event = _parse_json(line)
    client = str(event.get("client"))
    if event.get("event") == "connect":
        return LineEvent("accepts" if event["allowed"] else "refuses", client)
    if event.get("event") == "disconnect":
        return LineEvent("lets go of", client)
    return None


def _parse_json(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
