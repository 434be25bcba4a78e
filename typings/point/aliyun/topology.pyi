from typing import NotRequired, TypedDict, type_check_only

# A sub-device in a request; the optional ones sign it where it is to be added.
@type_check_only
class Member(TypedDict):
    productKey: str
    deviceName: str
    clientId: NotRequired[str]
    timestamp: NotRequired[str]
    sign: NotRequired[str]
    signmethod: NotRequired[str]

def pair(key: object, name: object) -> tuple[str, str]: ...
def named(member: object) -> tuple[str, str]: ...
def secret(member: object) -> str: ...
def names(data: object) -> list[tuple[str, str]] | None: ...
def member(key: str, name: str, secret: str | None = None) -> Member: ...
