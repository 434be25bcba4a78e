"""Alibaba Living Link's binding: how a board gets an owner, and loses it.

The board reports a token, and may be bound in a time window after each connection. A
reset is repeated until the cloud has it. The cloud notifies of what it did. Messages
and times are the SDK's (iotkit-embedded v3.2.0 src/dev_bind).
"""

from ..compat import binascii, const
from ..errors import FIELD, OPTION, PointError
from .countdown import Countdown

_EVERY_MS = const(10000)
_REPORTS = const(11)  # for each connection, whatever becomes of them
_TOKEN_MS = const(90000)
_WINDOW_MAX_S = const(86400)
_OPERATIONS = ("Bind", "Unbind", "Reset")


class Binding:
    """Runs in the steps of `alink`. `access` is the PointAccess, whose flash it uses.

    `on_event(operation)` is called with "Bind", "Unbind" or "Reset", once answered.
    """

    def __init__(self, alink, access, on_event, window_s=600):
        if type(window_s) is not int or not 0 <= window_s <= _WINDOW_MAX_S:
            raise PointError(OPTION, "window_s is not 0 to %d" % _WINDOW_MAX_S)
        self._claim = access.claim  # kept: a reset must not fail for want of memory
        self.resetting = self._claim.reset
        self._random = access.random
        self._alink = alink
        self._on_event = on_event
        self._events = []
        self._window_ms = window_s * 1000
        self._window = Countdown()
        self._life = Countdown()
        self._token = self._report = self._reset = None
        self._reports = 0
        alink.serve("_thing/event/notify", self._receive_event)
        alink.steps.append(self._step)

    @property
    def token(self):
        """The token that is reported, 32 upper-case hex digits, or None."""
        return self._token if self._life.left_ms() else None

    def remaining_s(self):
        """For how many seconds the board may be bound without a token."""
        return self._window.left_s()

    def reset(self):
        """Have the cloud forget the owner. The flash keeps the request until it has.

        No token is reported before. Raises PointError(FLASH or READ_BACK): then nothing
        has happened.
        """
        if not self.resetting:
            self._claim.keep_reset(True)
            self.resetting = True
            self._life.start(0)
            if self._report:
                self._report.left = 0

    def cipher_key(self, cipher_type, random, then):
        """Have the cloud derive cipher.channel_key(): then(16 bytes, or None).

        Raises PointError(OPTION) that names the argument.
        """
        from . import cipher_get

        cipher_get.ask(self._alink, cipher_type, random, then)

    def _step(self, connected):
        if connected:
            self._window.start(self._window_ms)
            self._begin()
        if self.resetting:
            if not self._reset:
                self._reset = self._ask("thing.reset", {}, self._receive_reset, -1)
        elif not self._life.left_ms():
            if self._report:
                self._reports = self._report.left
            if self._reports:
                self._renew()
        self._window.left_ms()
        while self._events:
            self._alink.call(self._on_event, self._events.pop(0))

    def _begin(self):
        self._reports = _REPORTS
        self._report = None
        self._life.start(0)

    def _renew(self):
        self._token = binascii.hexlify(self._random(16)).decode().upper()
        self._life.start(_TOKEN_MS)
        method = "thing.awss.enrollee.match"
        self._report = self._ask(method, {"token": self._token}, None, self._reports)

    def _ask(self, method, params, then, times):
        return self._alink.ask(method, params, then, _EVERY_MS, times)

    def _receive_reset(self, code, data):
        # Any code ends it, as in the SDK: a board that hears "no" may be bound again.
        self._claim.keep_reset(False)
        self.resetting = False
        self._reset = None
        self._begin()

    def _receive_event(self, params):
        identifier = params.get("identifier")
        value = params.get("value")
        if identifier != "awss.BindNotify" or type(value) is not dict:
            raise PointError(FIELD, "not a bind notification")
        operation = value.get("Operation", value.get("operation"))
        if operation not in _OPERATIONS:
            raise PointError(FIELD, "operation")
        self._events.append(operation)
        return {"identifier": identifier, "serviceResult": {}}
