"""The socket under QuecPython's umqtt: it knows what an MQTT packet is.

What umqtt sends goes out as it is, but each packet at once, and with its answer waited
for here. What comes is read here too, whole: umqtt's own way in drops answers that come
after a message, and takes their rest for packets.
"""

from point.broker import BrokerSocket
from point.compat import const
from point.errors import BROKER_LOST, NO_MEMORY, PointError

_TIMEOUT_S = const(30)
_CONNECT = const(1)  # MQTT 3.1.1 table 2.1
_CONNACK = const(2)
_PUBLISH = const(3)
_PUBACK = const(4)
_SUBSCRIBE = const(8)
_SUBACK = const(9)


class Socket(BrokerSocket):
    """What umqtt takes for usocket and for a socket of it. It remembers errors."""

    def __init__(self, connect, settings):
        within = settings.get("withinS")
        where = settings["host"], settings["port"], settings["trust"]
        BrokerSocket.__init__(
            self, connect, where[0], where[1], where[2], within or _TIMEOUT_S, within
        )
        self._keep_alive = settings["keepAlive"]
        self.messages = []
        self.wait_msg = None
        self.gone = False
        self.begin()

    def begin(self):
        """Forget what the last call has left behind."""
        self._packet = self._answer = b""
        self.error = None
        self.sent = 0
        self.code = 0

    def connect(self, address):
        self._noting(BrokerSocket.connect, self, address)

    def write(self, data, length=None):
        if not self.gone:
            BrokerSocket.write(self, data, length)

    def recv(self, count):
        """What umqtt reads is the answer that it waits for; then the end."""
        data, self._answer = self._answer[:count], self._answer[count:]
        return data

    read = recv

    def setblocking(self, blocking):
        """Ignored: our stream has a deadline."""

    def _send(self, packet):
        self._noting(self._exchange, packet)

    def _noting(self, call, *arguments):
        """umqtt swallows what is raised here, so keep it."""
        try:
            call(*arguments)
        except PointError as error:
            self.error = error
            raise error
        except MemoryError:
            self.error = PointError(NO_MEMORY, "while talking to the broker")
            raise self.error

    def _exchange(self, packet):
        """Send a packet and wait for what it is to be answered with."""
        kind = packet[0] >> 4
        head = 2 if packet[1] < 128 else 3 if packet[2] < 128 else 4
        if kind == _CONNECT:  # umqtt was given 0, else it would ping by itself
            packet = bytearray(packet)
            packet[head + 8] = self._keep_alive >> 8
            packet[head + 9] = self._keep_alive & 255
        BrokerSocket._send(self, packet)
        self.sent += 1
        if kind == _CONNECT:
            self._await(_CONNACK, b"")
        elif kind == _SUBSCRIBE:
            self._await(_SUBACK, bytes(packet[head : head + 2]))
        elif kind == _PUBLISH and packet[0] & 6:
            place = head + 2 + (packet[head] << 8 | packet[head + 1])
            self._await(_PUBACK, bytes(packet[place : place + 2]))
            self.wait_msg()  # some versions do not look for it themselves

    def _await(self, kind, number):
        while True:
            first, body = self._receive()
            if first >> 4 == kind and len(body) > 1 and body[: len(number)] == number:
                self._answer = bytes((first, len(body))) + body
                self.code = body[-1] if kind != _PUBACK else 0
                return
            if kind == _CONNACK:
                raise PointError(BROKER_LOST, "not MQTT")
            self._take(first, body)

    def look(self):
        """Take a packet if one has come. Raises PointError."""
        BrokerSocket.setblocking(self, False)
        try:
            packet = self._receive()
        finally:
            BrokerSocket.setblocking(self, True)
        if packet:
            self._take(packet[0], packet[1])

    def acknowledge(self, number):
        BrokerSocket._send(self, b"\x40\x02" + number)

    def _receive(self):
        """(first byte, rest) of a packet, None if none has come and we do not wait."""
        first = BrokerSocket.read(self, 1)
        if first is None:
            return None
        self._stream.waits = True  # what has begun also ends
        size = shift = 0
        while shift < 28:
            byte = BrokerSocket.read(self, 1)[0]
            size |= (byte & 127) << shift
            if byte < 128:
                return first[0], BrokerSocket.read(self, size) if size else b""
            shift += 7
        raise PointError(BROKER_LOST, "not MQTT")

    def _take(self, first, body):
        """Keep a message; what else comes unasked is a sign of life and no more."""
        if first >> 4 != _PUBLISH:
            return
        end = 2 + (body[0] << 8 | body[1]) if len(body) > 1 else len(body) + 1
        number = body[end : end + 2] if first & 6 else b""
        rest = end + len(number)
        if rest > len(body) or first & 6 and len(number) < 2:
            raise PointError(BROKER_LOST, "not MQTT")
        self.messages.append((body[2:end], body[rest:], number))
