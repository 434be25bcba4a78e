"""A modem at its AT commands: every command has its time, every wait feeds the dog."""

import at

from point.compat import const, sleep_ms, ticks_add, ticks_diff, ticks_ms
from point.errors import IMEI, OFFLINE, PointError

_GUARD_MS = const(1100)  # of silence around +++ (V.250: a second)
_SIM_BUSY = "CME ERROR: 14"


class Modem:
    """What answers on `uart`. `feed` is called at least every 100 ms.

    All methods raise PointError(OFFLINE) if it is mute, says no, or time is up.
    """

    def __init__(self, uart, feed):
        self._uart = uart
        self._feed = feed
        self._pin_tried = False
        self.locked = False  # the SIM wants a PIN that we have not
        self.within(0)

    def within(self, timeout_s):
        """Set the deadline for all that follows."""
        self._end = ticks_add(ticks_ms(), int(timeout_s * 1000))

    def late(self):
        """True if the deadline has passed."""
        return ticks_diff(self._end, ticks_ms()) <= 0

    def pause(self, ms):
        """Let time pass."""
        while ms > 0:
            self._feed()
            sleep_ms(min(ms, 100))
            ms -= 100

    def ask(self, command, timeout_s=5):
        """What `command` asks for, as lines."""
        reply = at.Reply(command)
        self._uart.read()  # what is left of earlier answers
        self._uart.write(command.encode() + b"\r")
        end = ticks_add(ticks_ms(), timeout_s * 1000)
        while ticks_diff(end, ticks_ms()) > 0 and not self.late():
            came = self._uart.read()
            if not came:
                self.pause(10)
            elif reply.feed(came):
                if reply.well:
                    return reply.lines
                raise PointError(OFFLINE, "%s: %s" % (reply.name, reply.end))
        raise PointError(OFFLINE, reply.name + ": no answer")

    def try_all(self, commands, timeout_s=5):
        """The answer to the first of `commands` that has one."""
        for command in commands:
            try:
                return self.ask(command, timeout_s)
            except PointError as error:
                last = error
        raise last

    def wake(self):
        """Have it at its commands, without echo, its errors in numbers."""
        try:
            self.try_all(("AT", "AT"), 1)
        except PointError:
            if self.late():
                raise
            # It may be in a connection from before a restart.
            self.pause(_GUARD_MS)
            self._uart.write(b"+++")
            self.pause(_GUARD_MS)
            self.try_all(("ATH", "AT", "AT"), 1)
        self.ask("ATE0")
        self.try_all(("AT+CMEE=1", "AT"))
        # Quectel's clock is local by 3, SIMCom knows 1 only; some have neither.
        self.try_all(("AT+CTZU=3", "AT+CTZU=1", "AT"))

    def imei(self):
        """Its IMEI. Raises PointError(IMEI) if it gives no valid one."""
        from point.imei import check

        found = ""
        for command in ("AT+CGSN", "AT+GSN"):  # SIMCom; Quectel knows both
            try:
                for line in self.ask(command):
                    found = at.digits(line) or found
                return check(found)
            except PointError as error:
                last = error
        raise PointError(IMEI, last.detail)

    def sim(self, pin):
        """Wait until the SIM is ready. `pin`, or None, is tried once."""
        while True:
            try:
                state = "".join(self.ask("AT+CPIN?")[-1:])
            except PointError as error:
                state = ""
                if not error.detail.endswith(_SIM_BUSY) or self.late():
                    raise error
            if state == "READY":
                return
            if state == "SIM PIN" and pin and not self._pin_tried:
                self._pin_tried = True  # three wrong ones would lock the SIM
                self.ask('AT+CPIN="%s"' % pin)
            elif state[:4] == "SIM ":
                self.locked = True
                raise PointError(OFFLINE, "the SIM wants its " + state[4:])
            elif self.late():
                raise PointError(OFFLINE, "the SIM is not ready")
            self.pause(500)

    def register(self):
        """Wait until a network has taken it, at home or roaming."""
        why = "none"
        while True:
            for command in ("AT+CEREG?", "AT+CGREG?", "AT+CREG?"):
                try:
                    state = at.registration(self.ask(command, 2))
                except PointError:  # not every modem has every one
                    continue
                if state in (1, 5):
                    return
                if state == 3:
                    why = "denied"
            if self.late():
                raise PointError(OFFLINE, "registration: " + why)
            self.pause(1000)

    def time(self):
        """Unix seconds by the network, or None."""
        for line in self.try_all(("AT+CCLK?", "AT")):
            return at.clock(line)

    def dial(self, apn):
        """Turn the line over to PPP. `apn` None: the one that the modem holds."""
        if apn:
            self.ask('AT+CGDCONT=1,"IP","%s"' % apn)
        self.try_all(("ATD*99#", 'AT+CGDATA="PPP",1'), 60)

    def reset(self):
        """Its radio off and on, or all of it."""
        self.try_all(("AT+CFUN=0", "AT"), 15)
        self.try_all(("AT+CFUN=1", "AT+CFUN=1,1"), 15)
