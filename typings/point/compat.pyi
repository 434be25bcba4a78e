# The runtime's modules under the names that they have on CPython; a board's checker
# puts MicroPython's own there.
import binascii as binascii
import gc as gc
import hashlib as hashlib
import io as io
import json as json
import os as os
import socket as socket
import ssl
import struct as struct
import sys as sys
import time as time
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Final

from .host.cpython import aes as aes
from .host.cpython import const as const
from .host.cpython import sleep_ms as sleep_ms
from .host.cpython import ticks_add as ticks_add
from .host.cpython import ticks_diff as ticks_diff
from .host.cpython import ticks_ms as ticks_ms

tls = ssl
micropython: ModuleType | None  # None on CPython
hmac_digest: Callable[[bytes, bytes, str], bytes] | None  # None on boards
EPOCH: Final[int]

def crc32(data: bytes) -> int: ...
def loaded() -> set[str]: ...
def unload(names: Iterable[str]) -> None: ...

# Use it by `with`; it is one of a kind.
class _Tracker:
    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...
    def unload(self) -> None: ...

provisioning: _Tracker
