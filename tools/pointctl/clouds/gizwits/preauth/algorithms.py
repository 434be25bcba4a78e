"""Where devices make their auth_key themselves: by which algorithm.

The vendor's is not public. Whoever has it offers it as an entry point of the group
`pointctl.gizwits_algorithms`: a function (product_secret, product_key, mac) -> 32 hex
digits. The only one that comes with pointctl is our own, for sandboxes: the real cloud
does not know it. None is used unless it is named.
"""

from collections.abc import Callable
from importlib.metadata import entry_points

from point.gizwits import authkey
from pointctl.errors import PointctlError

GROUP = "pointctl.gizwits_algorithms"
Algorithm = Callable[[str, str, str], str]


def names() -> list[str]:
    """The names of those that there are."""
    return sorted({authkey.NAME, *(each.name for each in entry_points(group=GROUP))})


def find(name: str) -> Algorithm:
    """The algorithm of this name. Raises PointctlError."""
    if name == authkey.NAME:
        ours: Algorithm = authkey.derive
        return ours
    for each in entry_points(group=GROUP):
        if each.name == name:
            found: Algorithm = each.load()
            return found
    raise PointctlError(f"no algorithm {name}; there is: {', '.join(names())}")
