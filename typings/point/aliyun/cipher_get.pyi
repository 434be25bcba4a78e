from collections.abc import Callable

from .alink import Alink

def ask(
    alink: Alink,
    cipher_type: int,
    random: str,
    then: Callable[[bytes | None], object],
) -> None: ...
