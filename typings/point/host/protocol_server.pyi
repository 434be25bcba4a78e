from typing import TypedDict, type_check_only

from ..credentials import DeviceConfig

@type_check_only
class DecodedRequest(TypedDict):
    imei: str
    productKey: str | None
    time: int
    requestId: str | None
    sign: str | None
    proof: str | None
    ack: str | None

def http_status(code: str) -> int: ...
def decode_request(body: bytes) -> DecodedRequest: ...
def encode_reply(
    code: str,
    device_config: DeviceConfig | None = None,
    retry_after: int | None = None,
) -> bytes: ...
def encode_sealed_reply(
    device_config: DeviceConfig, key: bytes, request_id: str, iv: bytes
) -> bytes: ...
