"""The frames of Gizwits' older cloud, which its apps and devices exchange by MQTT.

00000003 ‖ length as in MQTT ‖ flag 00 ‖ command ‖ [sn] ‖ payload, big-endian, as the
cloud's open-source device agent writes them. A device publishes to dev2app/{did}, or to
dev2app/{did}/{client} if it answers one app, and hears app2dev/{did}/{client}.
"""

from ..compat import const, struct
from ..errors import MALFORMED, OPTION, TOO_LARGE, PointError

# Commands. The last two carry a sequence number, which the answer repeats.
TO_DEVICE = const(0x0090)
FROM_DEVICE = const(0x0091)
ASKED = const(0x0093)
ANSWERED = const(0x0094)
# The first byte of a payload: what is to be done. Products of variable length: + 0x10.
CONTROL = const(1)
READ = const(2)
STATUS = const(3)
REPORT = const(4)

MAX_PAYLOAD = const(4096)
_PROTOCOL = b"\0\0\0\3"


def encode(command, payload, number=None):
    """A frame; `number`, 0 to 2**32 - 1, goes with ASKED and ANSWERED and only there.

    Raises PointError(OPTION or TOO_LARGE).
    """
    if (number is not None) != (command in (ASKED, ANSWERED)):
        raise PointError(OPTION, "number goes with ASKED and ANSWERED")
    if len(payload) > MAX_PAYLOAD:
        raise PointError(TOO_LARGE, "over %d bytes" % MAX_PAYLOAD)
    body = struct.pack(">BH", 0, command)
    if number is not None:
        body += struct.pack(">I", number)
    body += payload
    size = len(body)
    length = b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return _PROTOCOL + length + bytes([size]) + body


def decode(frame):
    """(command, payload, number or None) of a frame in bytes.

    Raises PointError(MALFORMED) if it is not a frame, is cut short, or too long.
    """
    place, size, shift = 4, 0, 0
    while True:
        if place >= min(len(frame), 8):
            _fail("a length")
        byte = frame[place]
        size |= (byte & 127) << shift
        shift += 7
        place += 1
        if byte < 128:
            break
    body = frame[place:]
    if frame[:4] != _PROTOCOL or len(body) != size or size < 3 or body[0]:
        _fail("a whole one")
    command = struct.unpack(">H", body[1:3])[0]
    if command not in (ASKED, ANSWERED):
        return command, body[3:], None
    if size < 7:
        _fail("a number")
    return command, body[7:], struct.unpack(">I", body[3:7])[0]


def _fail(what):
    raise PointError(MALFORMED, "not a frame: without " + what)
