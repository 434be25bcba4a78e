"""PPP over a UART, as MicroPython has it on the ESP32 since 1.26, and as it had it."""

import network

from point.compat import gc, sleep_ms
from point.errors import OFFLINE, PointError


class Ppp:
    """One connection over the UART that `modem` has turned over; for another, another.

    `settings` are the modem's in board.json.
    """

    def __init__(self, uart, settings, modem):
        gc.collect()  # what is left of the one before
        self._settings = settings
        self._modem = modem
        self._ppp = network.PPP(uart)
        self._new = hasattr(self._ppp, "disconnect")
        self._open = True
        self.isconnected = self._ppp.isconnected

    def connect(self):
        """Return when it is up. PointError(OFFLINE) after the modem's deadline."""
        ppp = self._ppp
        auth = self._settings["auth"].upper()
        user, key = self._settings.get("user"), self._settings.get("password")
        try:
            if self._new:
                ppp.connect(security=getattr(ppp, "SEC_" + auth), user=user, key=key)
                self._start_pump()
            else:
                ppp.active(True)
                auth = getattr(ppp, "AUTH_" + auth)
                ppp.connect(authmode=auth, username=user, password=key)
        except (OSError, RuntimeError) as error:
            raise PointError(OFFLINE, "PPP: %s" % error.args[0])
        while not ppp.isconnected():
            if self._modem.late():
                raise PointError(OFFLINE, "PPP does not come up")
            self._modem.pause(100)

    def close(self):
        """Give the UART back."""
        self._open = False
        ppp = self._ppp
        if not self._new:
            ppp.active(False)  # waits itself
            return
        ppp.disconnect()
        for _ in range(50):  # the next one dies if this one is not done
            if ppp.status() <= 0:  # none, or an error
                break
            self._modem.pause(100)
        # Its finaliser would take the UART's interrupt away from the next one.
        ppp.config(stream=None)

    def _start_pump(self):
        try:
            import _thread

            _thread.start_new_thread(self._pump, ())
        except (ImportError, OSError):
            pass  # then only addresses can be connected to, no names

    def _pump(self):
        """Read the UART while getaddrinfo() has the main thread, which else does it.

        Without this no name resolves, up to 1.28 at least.
        """
        while self._open:
            self._ppp.poll()
            sleep_ms(20)
