"""The way through a modem: PPP over its UART, and what to do when it fails."""

import machine
from modem import Modem
from ppp import Ppp

from point.compat import const
from point.errors import IMEI, PointError

_IMEI_S = const(45)
# Attempts in a row that failed, and what is done about it before the next one; before
# all others nothing, which is to dial again.
_RADIO = const(2)
_POWER = const(4)
_RESTART = const(6)
_STALE = const(3)  # connections in a row that failed: PPP may only look connected


class Cellular:
    """`settings` are the modem's in board.json; `heard` is given the network's time."""

    def __init__(self, settings, feed, heard):
        self._settings = settings
        self._heard = heard
        self._imei = self._ppp = None
        self._failed = 0
        self.failures = 0  # connections since one worked; who makes them counts them
        for pin in settings["high"]:  # what supplies it, on some boards
            machine.Pin(pin, machine.Pin.OUT, value=1)
        more = {}
        if "rts" in settings and "cts" in settings:
            more = {"rts": settings["rts"], "cts": settings["cts"]}
            more["flow"] = machine.UART.RTS | machine.UART.CTS
        self._uart = machine.UART(
            settings["uart"],
            baudrate=settings["baud"],
            tx=settings["tx"],
            rx=settings["rx"],
            rxbuf=4096,  # a TLS record comes faster than it is read
            **more,
        )
        self._modem = Modem(self._uart, feed)

    def imei(self):
        """The IMEI, read once: PPP leaves no way to ask. PointError(IMEI)."""
        left = 2
        while not self._imei:
            left -= 1
            self._down()
            self._modem.within(_IMEI_S)
            try:
                self._wake()
                self._imei = self._modem.imei()
            except PointError as error:
                if not left:
                    raise PointError(IMEI, error.detail)
        return self._imei

    def up(self, timeout_s):
        """Have PPP connected within `timeout_s`. Raises PointError(OFFLINE)."""
        if self._ppp and self._ppp.isconnected() and self.failures < _STALE:
            return
        modem = self._modem
        modem.within(timeout_s)
        if self._failed >= _RESTART:
            machine.reset()
        try:
            self._down()
            if self._failed == _POWER:
                self._press()
            self._wake()
            if self._failed == _RADIO:
                modem.reset()
                self._wake()
            modem.sim(self._settings.get("simPin"))
            modem.register()
            self._heard(modem.time())
            modem.dial(self._settings.get("apn"))
            self._ppp = Ppp(self._uart, self._settings, modem)
            self._ppp.connect()
        except PointError as error:
            if not modem.locked:  # else a PIN would be tried with every restart
                self._failed += 1
            raise error
        self._failed = self.failures = 0

    def _wake(self):
        """Have the modem at its commands, switched on if need be."""
        try:
            return self._modem.wake()
        except PointError as error:
            if self._modem.late() or not self._press():
                raise error
        while True:  # it boots, for 5 to 20 s
            try:
                return self._modem.wake()
            except PointError as error:
                if self._modem.late():
                    raise error

    def _press(self):
        """Press the power key, which switches on, or off. False if none is wired."""
        settings = self._settings
        if "powerKey" not in settings:
            return False
        level = settings["powerKeyLevel"]
        key = machine.Pin(settings["powerKey"], machine.Pin.OUT, value=1 - level)
        key.value(level)
        self._modem.pause(settings["powerKeyMs"])
        key.value(1 - level)
        self._modem.pause(1000)
        return True

    def _down(self):
        """Give the UART back to the modem's commands; a PPP object serves once."""
        ppp, self._ppp = self._ppp, None
        if ppp:
            ppp.close()
