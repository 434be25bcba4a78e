"""Find the ports of the station: those that were named, or all USB ports."""

import os
from collections.abc import Mapping, Sequence

from pointctl.boards import ports
from pointctl.boards.kinds import BoardKind, parse_kind
from pointctl.errors import PointctlError
from pointctl.factory.station.station import MOST_PORTS, FindPorts


def port_finder(named: Sequence[str]) -> FindPorts:
    """Return a function that finds the ports that exist, and their boards' kinds.

    `named` are PORT or KIND=PORT; without any, it finds all USB ports. Raises
    PointctlError for an unknown kind, or too many ports.
    """
    if not named:
        return _find_usb_ports
    if len(named) > MOST_PORTS:
        raise PointctlError(
            f"a station has up to {MOST_PORTS} ports, and {len(named)} were named; run "
            "another station for the rest"
        )
    given = dict(map(_parse_port, named))
    return lambda: {port: kind for port, kind in given.items() if os.path.exists(port)}


def _parse_port(text: str) -> tuple[str, BoardKind | None]:
    """Parse PORT or KIND=PORT."""
    name, separator, port = text.partition("=")
    if not separator:
        return text, None
    kind = parse_kind(name)
    if kind is None:
        raise PointctlError(
            f"there is no board {name!r}; name one of {', '.join(BoardKind)}"
        )
    return port, kind


def _find_usb_ports() -> Mapping[str, BoardKind | None]:
    """Return the ports that may have a board, sorted by name."""
    kinds = {
        each.device: parse_kind(each.guess)
        for each in ports.find_ports()
        if each.may_be_board
    }
    return dict(sorted(kinds.items()))
