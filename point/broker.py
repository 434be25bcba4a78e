"""The socket under `umqtt`: verified, bounded, one write for each packet.

umqtt.simple is used as it is. It takes an object as `ssl` and calls its wrap_socket();
ours hands back a connection that gathers the library's many small writes until an MQTT
packet is whole (MQTT 3.1.1 §2.2), since each small write costs a TLS record and, with
Nagle's algorithm against a delayed acknowledgement, 44 ms.
"""

from .compat import const
from .errors import CLOSED, PointError
from .stream import Stream

_MAX_HEAD = const(5)


class BrokerSocket:
    """What umqtt gets as `ssl`, and then as its socket.

    `trust` as in Stream.secure(), None for plain TCP; `timeout_s` bounds the handshake
    and then each packet.
    """

    def __init__(self, host, trust, timeout_s):
        self._host = host
        self._trust = trust
        self._timeout_s = timeout_s
        self._stream = None
        self._packet = b""
        self.packets = 0  # reads that gave something: a broker that is not silent

    def wrap_socket(self, sock, server_hostname=None):
        """umqtt's connected socket, made safe. Raises PointError."""
        self._stream = Stream(sock, self._timeout_s)
        if self._trust is not None:
            self._stream.secure(self._host, self._trust)
        return self

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
            self._stream.within(self._timeout_s)
            self._stream.write(packet)

    def read(self, count):
        """`count` bytes, or None if umqtt only looks and nothing has come."""
        if self._stream.waits:
            self._stream.within(self._timeout_s)
        data = self._stream.read(count)
        if data is not None:
            if len(data) < count:
                raise PointError(CLOSED, "the broker closed the connection")
            self.packets += 1
        return data

    def setblocking(self, blocking):
        """umqtt looks without waiting, but waits for the rest of a packet."""
        self._stream.waits = blocking
        self._stream.within(self._timeout_s)

    def settimeout(self, timeout_s):
        """Ignored: newer umqtt sets its own, ours is tighter."""

    def close(self):
        self._stream.close()


def _packet_size(data):
    """The length of the packet that begins in `data`, 0 while its head is short."""
    size = 0
    for place in range(1, min(len(data), _MAX_HEAD)):
        size |= (data[place] & 127) << 7 * (place - 1)
        if data[place] < 128:
            return 1 + place + size
    return 0
