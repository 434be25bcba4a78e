"""What each program prints, as (event, detail) for the timeline; None: not shown."""

import json
import re
from typing import Any

Said = tuple[str, str] | None

_MOSQUITTO = (
    # "2026-11-21T12:00:00: " precedes each.
    (re.compile(r"New client connected from \S+ as (\S+)"), "accepts"),
    (re.compile(r"Client (\S+) disconnected, not authorised"), "refuses"),
    (re.compile(r"Client (\S+) (?:disconnected|closed its connection)"), "lets go of"),
)
# As main.py prints it: milliseconds since power-up, the event, what goes with it.
_BOARD = re.compile(r"\[ *(\d+) ms\] (\w+) ?(.*)")


def board(line: str) -> Said:
    """A line of main.py; what else the board prints (a traceback) is shown as it is."""
    said = _BOARD.match(line)
    return (said[2], said[3]) if said else ("prints", line)


def server(line: str) -> Said:
    """A line of the provisioning server's log."""
    event = _json(line)
    if event.get("event") == "ready":
        return "ready", str(event["port"])
    if event.get("event") == "access":
        return "access", f"IMEI {event['imei']} gets {event['code']}"
    if event.get("level") in ("warning", "error", "critical"):
        return "says", str(event.get("event"))
    return None


def mosquitto(line: str) -> Said:
    """A line of mosquitto's log."""
    for pattern, name in _MOSQUITTO:
        said = pattern.search(line)
        if said and said[1] != "<unknown>":  # our own look whether it is up
            return name, said[1]
    return None


def embedded(line: str) -> Said:
    """A line of the embedded broker's log."""
    event = _json(line)
    client = str(event.get("client"))
    if event.get("event") == "connect":
        return ("accepts" if event["allowed"] else "refuses"), client
    if event.get("event") == "disconnect":
        return "lets go of", client
    return None


def _json(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
