from collections.abc import Iterable

FINDERS: tuple[str, ...]

def unload(names: Iterable[str]) -> None: ...
