"""The socket under `umqtt`: verified, bounded, one write for each packet.

umqtt.simple is used as it is, but given us for the module `socket`: what it opens is
one of our streams, under one deadline from the name to the handshake. We gather its
many small writes until an MQTT packet is whole (MQTT 3.1.1 §2.2): each would cost a TLS
record and, with Nagle's algorithm against a delayed acknowledgement, 44 ms.
"""

from .compat import const
from .errors import CLOSED, TOO_LARGE, PointError

_MAX_HEAD = const(5)
_MAX_READ = const(16384)  # no message for a board is larger; a broken broker may say so


class BrokerSocket:
    """What umqtt.simple takes for the module `socket`, and for the socket it opens.

    `connect(host, port, trust, timeout_s)` gives a Stream; `timeout_s` bounds the
    connection, and then each packet; with `once` all of them together.
    """

    def __init__(self, connect, host, port, trust, timeout_s, once=False):
        self._connect = connect
        self._where = host, port, trust, timeout_s
        self._timeout_s = timeout_s
        self._once = once
        self._stream = None
        self._packet = b""
        self.packets = 0  # reads that gave something: a broker that is not silent

    def socket(self, *kind):
        return self

    def getaddrinfo(self, *where):
        return ((None,),)  # our connect() resolves the name, in its own time

    def connect(self, address):
        """Connect, and shake hands if there is trust to be had. Raises PointError."""
        self._stream = self._connect(*self._where)

    def write(self, data, length=None):
        """Gather `data`, or its first `length` bytes; send when the packet is whole."""
        if isinstance(data, str):  # MicroPython's sockets take text too
            data = data.encode()
        data = bytes(data if length is None else data[:length])
        if not self._packet and len(data) == 4 and data[0] == 0x82 and data[1] > 127:
            # umqtt.simple before 1.5 has one byte for SUBSCRIBE's length, even here,
            # where it takes two: topics over 122 bytes.
            data = data[:2] + b"\1" + data[2:]
        self._packet += data
        size = _packet_size(self._packet)
        if size and len(self._packet) >= size:
            packet = self._packet
            self._packet = b""
            self._send(packet)

    def _send(self, packet):
        self._within()
        self._stream.write(packet)

    def read(self, count):
        """`count` bytes, or None if umqtt only looks and nothing has come."""
        if count > _MAX_READ:
            raise PointError(TOO_LARGE, "the broker's packet")
        # Its time runs from what was sent, or looked for: a peer that drips gains none.
        data = self._stream.read(count)
        if data is not None:
            if len(data) < count:
                raise PointError(CLOSED, "the broker closed the connection")
            self.packets += 1
        return data

    def setblocking(self, blocking):
        """umqtt looks without waiting, but waits for the rest of a packet."""
        self._stream.waits = blocking
        self._within()

    def settimeout(self, timeout_s):
        """Ignored: newer umqtt sets its own, ours is tighter."""

    def close(self):
        if self._stream:
            self._stream.close()

    def _within(self):
        if not self._once:
            self._stream.within(self._timeout_s)


def _packet_size(data):
    """The length of the packet that begins in `data`, 0 while its head is short."""
    size = 0
    for place in range(1, min(len(data), _MAX_HEAD)):
        size |= (data[place] & 127) << 7 * (place - 1)
        if data[place] < 128:
            return 1 + place + size
    return 0
