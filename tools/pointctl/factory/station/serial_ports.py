"""Which ports have a board at them: those that were named, or all of USB."""

import os
from collections.abc import Mapping, Sequence

from pointctl.boards import ports
from pointctl.boards.kinds import BoardKind, parse_kind
from pointctl.errors import PointctlError
from pointctl.factory.station.station import MOST_PORTS, Ports


def watched(named: Sequence[str]) -> Ports:
    """What tells the ports that are there, and the kinds of their boards.

    `named` are PORT or KIND=PORT; without any, whatever a system finds at USB. Raises
    PointctlError for a kind that there is not, or too many.
    """
    if not named:
        return _found
    if len(named) > MOST_PORTS:
        raise PointctlError(f"a station has up to {MOST_PORTS} ports")
    given = dict(map(_parsed, named))
    return lambda: {port: kind for port, kind in given.items() if os.path.exists(port)}


def _parsed(text: str) -> tuple[str, BoardKind | None]:
    name, separator, port = text.partition("=")
    if not separator:
        return text, None
    kind = parse_kind(name)
    if kind is None:
        raise PointctlError(f"no board {name!r}; there are {', '.join(BoardKind)}")
    return port, kind


def _found() -> Mapping[str, BoardKind | None]:
    """The ports that a board may be at, in the order of their names."""
    kinds = {
        each.device: parse_kind(each.guess)
        for each in ports.find_ports()
        if each.may_be_board
    }
    return dict(sorted(kinds.items()))
