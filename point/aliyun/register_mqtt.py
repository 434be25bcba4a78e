"""Dynamic registration over MQTT: the CONNECT asks, a PUBLISH answers.

The format is the service's (aliyun-iot-linkkit 1.2.13; securemode as its page
"MQTT-based dynamic registration" has it). The answer comes unsubscribed.
"""

from .. import protocol
from ..compat import const, sleep_ms, ticks_add, ticks_diff, ticks_ms
from ..errors import BROKER_REFUSED, SUCCESS, TIMEOUT, PointError
from . import login

_KEEP_ALIVE_S = const(60)  # the cloud does not look at it here
_LOOK_MS = const(20)


class Transport:
    """`access.board` connects, to the settings' host if they name one."""

    def __init__(self, access, url):
        self._access = access
        token = access.identity["by"] == "mqtt-token"
        self._kind = "regnwl" if token else "register"
        self._client = None
        self._answer = None

    def ask(self, request):
        """("00000", the answer), or the code of a refusal and what it may mean.

        Raises PointError(TIMEOUT, BROKER_LOST, MALFORMED, TOO_LARGE or the network's).
        """
        access = self._access
        deadline = ticks_add(ticks_ms(), int(access.timeout_s * 1000))
        self._client = client = access.board.mqtt(self._settings(request))
        try:
            client.connect()
        except PointError as error:
            if error.number != BROKER_REFUSED:
                raise error
            why = ": active already, not allowed, or the product secret is wrong"
            return protocol.ALREADY_ISSUED, error.detail + why
        while self._answer is None:
            if ticks_diff(deadline, ticks_ms()) <= 0:
                raise PointError(TIMEOUT, "connected, but no answer came")
            access.board.feed()
            if not client.check():
                sleep_ms(_LOOK_MS)
        return SUCCESS, protocol.loads(self._answer)

    def close(self):
        """Disconnect if the cloud has answered. Never raises."""
        client, self._client = self._client, None
        if client:
            try:
                if self._answer is not None:
                    return client.disconnect()
            except PointError:
                pass
            client.close()

    def _settings(self, request):
        access = self._access
        given = access.identity
        region, instance = given.get("region"), given.get("instanceId")
        host = login.host(request["productKey"], region, instance)
        extension = "random=%s,authType=%s,securemode=%d,signmethod=%s" % (
            request["random"],
            self._kind,
            -2 if instance else 2,
            request["signMethod"],
        )
        if instance:
            extension += ",instanceId=" + instance
        names = request["deviceName"], request["productKey"]
        return {
            "host": access.overrides.get("host") or host,
            "port": access.overrides.get("port") or 8883,
            "trust": access.trust,
            "clientId": "%s.%s|%s|" % (names + (extension,)),
            "user": "%s&%s" % names,
            "password": request["sign"],
            "keepAlive": _KEEP_ALIVE_S,
            "cleanSession": 1,
            "received": self._received,
            "withinS": access.timeout_s,
        }

    def _received(self, topic, message):
        if topic == b"/ext/" + self._kind.encode():
            self._answer = message  # checked later: a callback must not fail
