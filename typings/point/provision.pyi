from collections.abc import Mapping

from .access import PointAccess

def ensure(
    access: PointAccess,
    url: str | None,
    data: Mapping[str, object],
    attempts: int,
    headers: Mapping[str, str] | None,
) -> str: ...
