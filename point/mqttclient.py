"""umqtt.simple in the shape every board gives: all its failures are PointErrors."""

from .broker import BrokerSocket
from .compat import const
from .errors import (
    BROKER_DENIED,
    BROKER_LOST,
    BROKER_REFUSED,
    CONNECT,
    NO_MEMORY,
    PointError,
    refine,
)

_TIMEOUT_S = const(30)


class Client:
    """What Session talks to; see mqtt() in firmware/template/board.py.

    `library` is the module umqtt.simple, `connect` opens a Stream, `settings` are what
    Session.connect() makes.
    """

    def __init__(self, library, connect, settings):
        where = settings["host"], settings["port"]
        within = settings.get("withinS")
        self._socket = BrokerSocket(
            connect,
            where[0],
            where[1],
            settings["trust"],
            within or _TIMEOUT_S,
            bool(within),
        )
        library.socket = self._socket
        self._clean = bool(settings["cleanSession"])
        self._client = library.MQTTClient(
            settings["clientId"],
            where[0],
            where[1],
            settings["user"],
            settings["password"],
            settings["keepAlive"],
        )
        self._received = settings["received"]
        self._came = []
        self._client.set_callback(lambda *message: self._came.append(message))
        will = settings.get("will")
        if will:
            self._client.set_last_will(will["topic"], will["message"], False, 1)

    def connect(self):
        self._run(self._client.connect, self._clean)

    def subscribe(self, topic, qos):
        self._run(self._client.subscribe, topic, qos)

    def publish(self, topic, message, qos):
        self._run(self._client.publish, topic, message, False, qos)

    def check(self):
        """Take a message if one has come; True if anything has, a PINGRESP too."""
        before = self._socket.packets
        self._run(self._client.check_msg)
        return self._socket.packets != before

    def ping(self):
        self._run(self._client.ping)

    def disconnect(self):
        try:
            self._run(self._client.disconnect)
        except PointError:
            self.close()

    def close(self):
        self._socket.close()

    def _run(self, call, *arguments):
        try:
            call(*arguments)
        except PointError:
            raise
        except MemoryError:
            raise PointError(NO_MEMORY, "while talking to the broker")
        except OSError as error:
            raise refine(error, CONNECT)
        except Exception as error:
            raise _refused(error)
        while self._came:  # now: who answers at once would read umqtt's next packet
            self._received(*self._came.pop(0))


def _refused(error):
    """umqtt raises MQTTException for CONNACK and SUBACK codes, all else by accident."""
    code = error.args[0] if type(error).__name__ == "MQTTException" else 0
    if code == 128:
        return PointError(BROKER_DENIED, "subscription refused")
    if code in (2, 4, 5):  # MQTT 3.1.1 table 3.1: identifier, password, not authorised
        return PointError(BROKER_REFUSED, "CONNACK %d" % code)
    return PointError(BROKER_LOST, "CONNACK 3" if code == 3 else "not MQTT")
