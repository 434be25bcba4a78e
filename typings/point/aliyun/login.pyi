from collections.abc import Mapping
from typing import Final

from ..credentials import Device, Options

FIXED_TIME: Final = "2524608000000"
REGION: Final = "cn-shanghai"
METHODS: Final = ("hmacmd5", "hmacsha1", "hmacsha256")

def sign(method: str, secret: str, members: Mapping[str, str]) -> str: ...
def login(
    device: Device, connect: Options, timestamp: str | None = "2524608000000"
) -> tuple[str, str, str]: ...
def token_login(device: Device, connect: Options) -> tuple[str, str, str]: ...
def host(
    product_key: str, region: str | None = None, instance_id: str | None = None
) -> str: ...
