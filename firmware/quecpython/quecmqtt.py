"""QuecPython's umqtt in the shape every board gives.

It is used for what it sends. Its way in would flatten all causes to one ValueError, or
swallow them; call back under its locks, acknowledge from another thread, and wait five
seconds for an answer that nothing reads: quecbroker, below it, does that instead.
"""

from quecbroker import Socket

try:
    import umqtt
except ImportError:  # the newest port has none
    umqtt = None

from point.errors import (
    BROKER_DENIED,
    BROKER_LOST,
    BROKER_REFUSED,
    LACKING,
    PointError,
)


class Client:
    """What Session talks to; see mqtt() in firmware/template/board.py.

    `library` is the module umqtt, `connect` opens a Stream, `settings` are what
    Session.connect() makes. Raises PointError(LACKING) for another umqtt.
    """

    def __init__(self, library, connect, settings):
        if not hasattr(library, "socket"):
            raise PointError(LACKING, "a umqtt that a socket can be given to")
        self._library = library
        self._socket = Socket(connect, settings)
        self._received = settings["received"]
        self._clean = bool(settings["cleanSession"])  # it shifts what it is given
        # Bytes: it counts characters. The name leads nowhere: only our socket may
        # connect, and with its own ping thread it would reconnect for ever.
        self._client = library.MQTTClient(
            settings["clientId"].encode(),
            "broker.invalid",
            user=settings["user"].encode(),
            password=settings["password"].encode(),
            keepalive=0,
            ssl=False,
            reconn=False,
        )
        self._client.set_callback(self._received)  # it does not subscribe without
        self._socket.wait_msg = self._client.wait_msg
        will = settings.get("will")
        if will:
            topic, message = will["topic"].encode(), will["message"].encode()
            self._client.set_last_will(topic, message, False, 1)
        self._used = False

    def connect(self):
        self._library.socket = self._socket
        self._used = True
        self._run(self._client.connect, self._clean)
        code = self._socket.code
        if code in (2, 4, 5):  # MQTT 3.1.1 table 3.1: identifier, password, not allowed
            raise PointError(BROKER_REFUSED, "CONNACK %d" % code)
        if code:
            raise PointError(BROKER_LOST, "CONNACK %d" % code)

    def subscribe(self, topic, qos):
        self._run(self._client.subscribe, topic.encode(), qos)
        denied = self._socket.code == 128
        self._deliver()
        if denied:
            raise PointError(BROKER_DENIED, "subscription refused")

    def publish(self, topic, message, qos):
        if isinstance(message, str):
            message = message.encode()
        self._run(self._client.publish, topic.encode(), message, False, qos)
        self._deliver()

    def check(self):
        """Take a message if one has come; True if anything has, a PINGRESP too."""
        before = self._socket.packets
        self._socket.look()
        self._deliver()
        return self._socket.packets != before

    def ping(self):
        self._run(self._client.ping)

    def disconnect(self):
        self._release()
        self._socket.close()

    def close(self):
        self._socket.gone = True
        self._socket.close()
        self._release()

    def _release(self):
        """Its disconnect() frees locks of the system's, which nothing else does."""
        if self._used:
            self._used = False
            try:
                self._client.disconnect()
            except Exception:
                pass  # it never had a socket, or has none any more

    def _run(self, call, *arguments):
        """Call umqtt; what it raises, or does not, is not what has happened."""
        sock = self._socket
        sock.begin()
        try:
            call(*arguments)
        except Exception:
            pass
        if sock.error:
            raise sock.error
        if not sock.sent:
            raise PointError(BROKER_LOST, "umqtt sends nothing")

    def _deliver(self):
        """Hand messages over now that umqtt is done: they may be answered at once."""
        while self._socket.messages:
            topic, message, number = self._socket.messages.pop(0)
            self._received(topic, message)
            if number:
                self._socket.acknowledge(number)
