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

def check_pair(key: object, name: object) -> tuple[str, str]: ...
def read_pair(member: object) -> tuple[str, str]: ...
def read_secret(member: object) -> str: ...
def read_pairs(data: object) -> list[tuple[str, str]] | None: ...
def make_member(key: str, name: str, secret: str | None = None) -> Member: ...
