"""The algorithms by which devices compute their auth_key themselves.

The vendor's is not public. A package that has it can offer it as an entry point of the
group `pointctl.gizwits_algorithms`: a function (product_secret, product_key, mac) -> 32
hex digits. The only one that comes with pointctl is our own, for sandboxes: the real
cloud does not know it. None is used unless it is named.
"""

from collections.abc import Callable
from importlib.metadata import entry_points

from point.gizwits import authkey
from pointctl.errors import PointctlError

GROUP = "pointctl.gizwits_algorithms"
Algorithm = Callable[[str, str, str], str]


def algorithm_names() -> list[str]:
    """The names of all that are installed."""
    return sorted({authkey.NAME, *(each.name for each in entry_points(group=GROUP))})


def find_algorithm(name: str) -> Algorithm:
    """The algorithm of this name. Raises PointctlError."""
    if name == authkey.NAME:
        ours: Algorithm = authkey.derive
        return ours
    for each in entry_points(group=GROUP):
        if each.name == name:
            found: Algorithm = each.load()
            return found
    raise PointctlError(
        f"no algorithm {name}; installed: {', '.join(algorithm_names())}"
    )
