"""MQTT with the board's credentials: the first connection and every one after it.

`refused` is told from `unreachable`: only the first says something about credentials.
"""

from . import flow, mqttauth
from .compat import const, ticks_add, ticks_diff, ticks_ms
from .errors import BROKER_DENIED, PointError

_KEEP_ALIVE_S = const(120)  # Quectel's advice for carrier NAT


def _silent(event, detail):
    pass


class Session:
    """One connection to the broker in `device_config`, kept up by calling step().

    `received(topic, message)`, both bytes, is called for each message; what it raises
    does not end the session. `confirmed()` is called after the first connection that
    the broker accepted. `log(event, detail)` is told of each change.
    """

    def __init__(
        self, board, device_config, ca=None, received=None, confirmed=None, log=None
    ):
        self._board = board
        self._config = device_config
        self._ca = ca
        device = device_config["device"]
        self.host = device_config["connect"]["host"]
        self.topic = "%s/%s/" % (device["productKey"], device["deviceName"])
        self._received = received
        self._confirmed = confirmed
        self._log = log or _silent
        self._topics = {}
        self._client = None
        self._attempt = 0
        self._next = ticks_ms()
        self.error = None

    def connect(self):
        """Connect once. Raises PointError(BROKER_REFUSED, BROKER_LOST or a cause)."""
        connect = self._config["connect"]
        client_id, user, password = mqttauth.plain(self._config["device"], connect)
        secure = connect.get("ssl", 1)
        keep_alive = connect.get("keepAlive", _KEEP_ALIVE_S)
        client = self._board.mqtt(
            {
                "host": self.host,
                "port": connect.get("port", 8883 if secure else 1883),
                "trust": {"ca": self._ca} if secure else None,
                "clientId": client_id,
                "user": user,
                "password": password,
                "keepAlive": keep_alive,
                "cleanSession": bool(connect["cleanSession"]),
                "received": self._deliver,
            }
        )
        try:
            client.connect()
        except PointError as error:
            client.close()
            raise error
        self._client = client
        self._keep_alive_ms = keep_alive * 500  # ask at half time
        self._spoke = ticks_ms()
        self._attempt = 0
        self.error = None
        self._log("connected", self.host)
        if self._confirmed:
            try:
                self._confirmed()
                self._confirmed = None
            except PointError as error:  # the flash failed, the session need not
                self.error = error
        for topic in list(self._topics):  # a message may come first, and add to them
            self._speak("subscribe", topic, self._topics[topic])

    def subscribe(self, topic):
        """Subscribe with the configured QoS, now and after each reconnection.

        False if it did not work now; `error` says why.
        """
        self._topics[topic] = self._config["connect"]["qos"]
        return self._speak("subscribe", topic, self._topics[topic])

    def publish(self, topic, message):
        """Publish with the configured QoS; True with QoS 1 means that it arrived.

        False if it may not have arrived; `error` says why.
        """
        return self._speak("publish", topic, message, self._config["connect"]["qos"])

    def step(self):
        """Do what is due: reconnect, take a message, ping. Call it often.

        Returns True while connected. Failures are kept in `error` and retried after a
        growing, random wait.
        """
        try:
            if not self._client:
                if ticks_diff(self._next, ticks_ms()) > 0:
                    return False
                self.connect()
            if self._client:
                self._client.check()
                if 0 < self._keep_alive_ms < ticks_diff(ticks_ms(), self._spoke):
                    self._speak("ping")
        except PointError as error:
            self._lost(error)
        return self._client is not None

    def close(self):
        """Say goodbye to the broker."""
        client, self._client = self._client, None
        if client:
            client.disconnect()

    def _speak(self, verb, *words):
        if not self._client:
            return False
        self._spoke = ticks_ms()
        try:
            getattr(self._client, verb)(*words)
        except PointError as error:
            self.error = error
            if error.number != BROKER_DENIED:  # one topic refused is not a lost broker
                self._lost(error)
            return False
        return True

    def _deliver(self, topic, message):
        if self._received:
            try:
                self._received(topic, message)
            except Exception as error:
                self._log("failed", "the application, by " + type(error).__name__)

    def _lost(self, error):
        self.error = error
        self._log("lost", error)
        client, self._client = self._client, None
        if client:
            client.close()
        wait = flow.backoff_ms(self._attempt, self._board.random(2))
        self._attempt += 1
        self._next = ticks_add(ticks_ms(), wait)
