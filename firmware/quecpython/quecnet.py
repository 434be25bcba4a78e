"""The cellular network: waited for by checkNet, whatever its age, and helped along."""

import dataCall
import net

from point.compat import const, sleep_ms, ticks_add, ticks_diff, ticks_ms
from point.errors import OFFLINE, PointError

_READY = (3, 1)  # checkNet: the stage of the data call, and it is up
_SLICE_S = const(10)  # how long the watchdog goes hungry while we wait
_CYCLE = const(3)  # after so many failures in a row the radio is switched off and on
_DEAF = const(6)  # or after so many connections in a row without an answer
_RESTART = const(6)  # and after so many everything; Quectel's own figures


class Cellular:
    """`options` are board.json's, `feed` feeds the watchdog, `restart` does that."""

    def __init__(self, options, feed, restart):
        self._pdp = options["pdp"]
        self._feed = feed
        self._restart = restart
        self._failures = 0
        self._options = options
        self._set = "apn" not in options
        self._unheard = 0

    def up(self, timeout_s):
        """Return when there is an address. Raises PointError(OFFLINE or SETTING)."""
        try:
            if not self._set:
                from quecapn import set_apn

                set_apn(self._options)
                self._set = True
            if self._unheard >= _DEAF:
                self._cycle()
            stage = self._wait(timeout_s)
            if not stage:
                self._failures = 0
                return
            self._failures += 1
            self._help(stage)
        except (PointError, MemoryError):
            raise
        except Exception as error:
            raise PointError(OFFLINE, "the modem fails by " + type(error).__name__)
        what = ("SIM", "registration", "data call")[stage[0] - 1]
        raise PointError(OFFLINE, "%s: state %d" % (what, stage[1]))

    def counted(self, connect, where):
        """connect(*where); failures without an answer count: a dead call looks up."""
        self._unheard += 1
        try:
            made = connect(*where)
        except PointError as error:
            if error.number >= OFFLINE:  # there was an answer
                self._unheard = 0
            raise
        self._unheard = 0
        return made

    def _wait(self, timeout_s):
        """None, or checkNet's (stage, state) when the time is over."""
        end = ticks_add(ticks_ms(), int(timeout_s * 1000))
        wait = None
        while not self._has_address():
            left = ticks_diff(end, ticks_ms()) // 1000
            wait = wait or _waiter()
            stage = wait(min(max(left, 1), _SLICE_S))
            if stage == _READY:
                return None
            self._feed()
            if ticks_diff(end, ticks_ms()) <= 0:
                return stage
            sleep_ms(200)  # without a SIM older firmware does not wait at all

    def _has_address(self):
        info = dataCall.getInfo(self._pdp, 0)
        try:  # -1, or all zero, or (pdp, 0, [state, reconnecting, address, …])
            return info[2][0] == 1 and info[2][2] not in ("", "0.0.0.0")
        except (TypeError, IndexError):
            return False

    def _help(self, stage):
        if self._failures >= _RESTART and stage[0] > 1:  # no SIM comes of a restart
            self._restart()
        elif self._failures % _CYCLE == 0:
            self._cycle()
        elif stage[0] == 3:  # registered, but not dialled, or hung up
            from quecapn import dial

            dial(self._options)

    def _cycle(self):
        self._unheard = 0
        net.setModemFun(0)
        sleep_ms(1000)
        net.setModemFun(1)


def _waiter():
    """checkNet's function (seconds) -> (stage, state), by the name that it has."""
    import checkNet

    for name in ("waitNetworkReady", "wait_network_connected"):
        if hasattr(checkNet, name):
            return getattr(checkNet, name)
    return checkNet.CheckNetwork("PointAccess", "").wait_network_connected
