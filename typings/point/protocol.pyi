from collections.abc import Mapping
from typing import Any, Final, NotRequired, TypedDict, type_check_only

from .credentials import DeviceConfig
from .errors import SUCCESS as SUCCESS

# docs/protocol.md, "Version 1" and "Version 2".
@type_check_only
class Request(TypedDict):
    imei: str
    productKey: str

@type_check_only
class SignedRequest(Request):
    requestId: str
    time: int
    signMethod: str
    sign: str
    proof: NotRequired[str]

@type_check_only
class Acknowledgement(Request):
    requestId: str
    ack: str

MAX_BODY: Final = 4096

BAD_REQUEST: Final = "40001"
BAD_SIGNATURE: Final = "40101"
REPLAYED: Final = "40102"
UNKNOWN_IMEI: Final = "40301"
REVOKED: Final = "40302"
WAITING: Final = "40303"
ALREADY_ISSUED: Final = "40901"
SLOW_DOWN: Final = "42901"
POOL_EMPTY: Final = "50301"
INTERNAL: Final = "50001"

# A JSON object's members are whatever JSON can hold, until they are checked.
def loads(body: bytes) -> dict[str, Any]: ...
def encode_request(board_imei: object, product_key: str) -> Request: ...
def claim(
    request: Mapping[str, object],
    request_id: str,
    key: bytes,
    time: int = 0,
    secret: str | None = None,
) -> SignedRequest: ...
def acknowledge(
    request: Mapping[str, object], request_id: str, key: bytes
) -> Acknowledgement: ...
def decode_code(status: int, body: bytes) -> tuple[str, dict[str, Any]]: ...
def decode_reply(
    status: int, body: bytes, key: bytes | None = None, request_id: str | None = None
) -> tuple[str, DeviceConfig | None, int]: ...
