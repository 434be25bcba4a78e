"""MQTT with the board's credentials: the first connection and every one after it.

A refusal differs from an unreachable broker: only a refusal says something about the
credentials, and only several in a row.
"""

from . import errors, flow, mqttauth
from .compat import const, ticks_add, ticks_diff, ticks_ms
from .errors import BROKER_DENIED, BROKER_LOST, BROKER_REFUSED, PointError

_REFUSALS = const(3)  # a broker that restores its accounts refuses for a moment


def _silent(event, detail):
    pass


class Session:
    """Connections with what `access` (a PointAccess) holds, kept up by step().

    `received(topic, message)`, both bytes, is called for each message; what it raises
    does not end the session. `log(event, detail)` is called for each change.
    `connections` counts. When access.rejected is set, leave: the broker refuses them.
    """

    def __init__(self, access, received=None, log=_silent):
        self.host = access.device_config["connect"]["host"]
        self.topic = mqttauth.topic(access.device_config)
        self.error = None
        self._access = access
        self._board = access.board
        self._config = access.device_config
        self._received = received
        self._log = log
        self._topics = {}
        self._client = None
        self._confirmed = False
        self.connections = self._attempt = self._refusals = 0
        self._next = ticks_ms()

    def connect(self):
        """Connect once. Raises PointError(BROKER_REFUSED, BROKER_LOST or a cause)."""
        self._board.online(self._access.timeout_s)
        self._access.set_clock()
        settings = mqttauth.settings(self._config, self._board.random)
        settings["trust"] = (self._access.trust or {}) if settings["ssl"] else None
        settings["received"] = self._deliver
        client = self._board.mqtt(settings)
        try:
            client.connect()
        except PointError as error:
            client.close()
            raise error
        self._client = client
        self.connections += 1
        self._keep_alive_ms = settings["keepAlive"] * 500  # ask at half time
        self._spoke = self._heard = ticks_ms()
        self._attempt = self._refusals = 0
        self.error = None
        self._log("connected", self.host)
        if not self._confirmed:
            try:
                self._access.confirm()
                self._confirmed = True
            except PointError as error:  # the flash failed, the session need not
                self.error = error
        for topic in list(self._topics):  # a message may come first, and add to them
            self._speak("subscribe", topic, self._topics[topic])

    def subscribe(self, topic):
        """Subscribe with the configured QoS, now and after each reconnection.

        False if it did not work now; `error` says why."""
        self._topics[topic] = self._config["connect"]["qos"]
        return self._speak("subscribe", topic, self._topics[topic])

    def publish(self, topic, message):
        """Publish with the configured QoS; True with QoS 1 means that it arrived.

        False if it may not have arrived; `error` says why."""
        return self._speak("publish", topic, message, self._config["connect"]["qos"])

    def step(self):
        """Do what is due: reconnect, take a message, ping. Call it often.

        True while connected. Failures are kept in `error`, and tried again after a
        growing, random wait.
        """
        self._board.feed()
        try:
            if not self._client:
                if self._access.rejected or ticks_diff(self._next, ticks_ms()) > 0:
                    return False
                self.connect()
            if self._client:
                if self._client.check():
                    self._heard = ticks_ms()
                self._keep_alive()
        except (PointError, MemoryError) as error:
            self._lost(errors.refine(error, errors.NO_MEMORY))
        return self._client is not None

    def close(self):
        """Say goodbye to the broker."""
        client, self._client = self._client, None
        if client:
            client.disconnect()

    def _keep_alive(self):
        """Ping at half time; a broker that is silent for all of it is gone."""
        if 0 < self._keep_alive_ms < ticks_diff(ticks_ms(), self._spoke):
            if ticks_diff(self._heard, self._spoke) < 0:
                raise PointError(BROKER_LOST, "the broker has fallen silent")
            self._speak("ping")

    def _speak(self, verb, *words):
        if not self._client:
            return False
        try:
            getattr(self._client, verb)(*words)
        except PointError as error:
            self.error = error
            if error.number != BROKER_DENIED:  # one topic refused is not a lost broker
                self._lost(error)
            return False
        if not words or words[-1]:  # what has QoS 0 is not answered, and proves nothing
            self._spoke = ticks_ms()
            if words:
                self._heard = self._spoke
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
        self._refusals = self._refusals + 1 if error.number == BROKER_REFUSED else 0
        self._access.rejected = self._refusals >= _REFUSALS
        wait = flow.backoff_ms(self._attempt, self._board.random(2))
        self._attempt += 1
        self._next = ticks_add(ticks_ms(), wait)
