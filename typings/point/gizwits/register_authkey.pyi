from typing import Final

from ..access import PointAccess
from .register import Ask

URL: Final = "https://agent.gizwitsapi.com"
AUTH: Final = "gizwits"
FIELD: Final = "authKey"

def find(
    ask: Ask, access: PointAccess, product_key: str
) -> tuple[str, dict[str, str | None]]: ...
def read(directory: str) -> tuple[str, str]: ...
