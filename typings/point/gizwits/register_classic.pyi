from typing import Final

from ..access import PointAccess
from .register import Ask

URL: Final = "https://api.gizwits.com"
AUTH: Final = "gizwits-classic"
FIELD: Final = "deviceSecret"

def find(
    ask: Ask, access: PointAccess, product_key: str
) -> tuple[str, dict[str, str | None]]: ...
