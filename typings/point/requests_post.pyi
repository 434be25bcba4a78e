from collections.abc import Mapping
from typing import Any, Protocol, type_check_only

# Anybody's requests.post: what it gives is looked at member by member.
@type_check_only
class Post(Protocol):
    def __call__(
        self, url: str, /, *, json: dict[str, object], headers: dict[str, str]
    ) -> Any: ...

class RequestsClient:
    def __init__(self, call: Post, url: str) -> None: ...
    def post(
        self, data: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]: ...
    def close(self) -> None: ...
