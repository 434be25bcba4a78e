"""A record as the bytes of one flash slot, and back, or nothing if a bit is wrong.

Head (magic, version, state, sequence, length), the record as JSON, and a CRC-32 over
both. Under a key the JSON is sealed to the head, and nothing in clear is taken for it.
"""

from . import strictjson
from .compat import const, crc32, json, struct
from .errors import PointError
from .seal import seal, unseal

CANDIDATE = const(1)
CONFIRMED = const(2)
MAX_RECORD = const(4096)
MAX_SLOT = const(4180)  # head, CRC, and what sealing adds

_HEAD = ">4sBBIH"
_HEAD_SIZE = const(12)
_MAGIC = b"PtAc"
_CLEAR = const(1)  # versions
_SEALED = const(2)
_PURPOSE = b"flash"


def encode(state, sequence, record, key=None, iv=None):
    """The slot's bytes, None if the record is too large. `iv`: 16 random bytes."""
    text = json.dumps(record).encode()
    if len(text) > MAX_RECORD:
        return None
    version = _CLEAR
    if key:
        version = _SEALED
        text = seal(key, _PURPOSE, _context(state, sequence), text, iv)
    head = struct.pack(_HEAD, _MAGIC, version, state, sequence, len(text))
    return head + text + struct.pack(">I", crc32(head + text))


def decode(data, key=None):
    """(state, sequence, record) of a slot's bytes, None if the slot is not whole."""
    if len(data) < _HEAD_SIZE + 4:
        return None
    magic, version, state, sequence, length = struct.unpack(_HEAD, data[:_HEAD_SIZE])
    if magic != _MAGIC or version != (_SEALED if key else _CLEAR):
        return None
    if len(data) != _HEAD_SIZE + length + 4:
        return None
    if struct.unpack(">I", data[-4:])[0] != crc32(data[:-4]):
        return None
    text = data[_HEAD_SIZE:-4]
    try:
        if key:
            text = unseal(key, _PURPOSE, _context(state, sequence), text)
        record = strictjson.loads(text)
    except (PointError, ValueError):
        return None
    # What encode() would refuse could be read, but never be confirmed.
    return (state, sequence, record) if len(text) <= MAX_RECORD else None


def _context(state, sequence):
    return struct.pack(">BI", state, sequence)
