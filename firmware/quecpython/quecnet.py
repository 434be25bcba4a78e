"""The cellular network: waited for by checkNet, whatever its age, and helped along."""

import dataCall
import net

from point.compat import const, json, sleep_ms, ticks_add, ticks_diff, ticks_ms
from point.errors import OFFLINE, SETTING, PointError

_READY = (3, 1)  # checkNet: the stage of the data call, and it is up
_SLICE_S = const(10)  # how long the watchdog goes hungry while we wait
_CYCLE = const(3)  # after so many failures in a row the radio is switched off and on
_RESTART = const(6)  # and after so many everything; Quectel's own figures
_KEPT = "/usr/user_apn.json"  # setApn() writes it, the module's start reads it
_AUTH = ("none", "pap", "chap")


class Cellular:
    """`options` are board.json's, `feed` feeds the watchdog, `restart` does that."""

    def __init__(self, options, feed, restart):
        self._pdp = options["pdp"]
        self._feed = feed
        self._restart = restart
        self._failures = 0
        words = (options.get("apn", ""), options.get("user", ""))
        self._apn = words + (options.get("password", ""), _AUTH.index(options["auth"]))
        self._set = False

    def up(self, timeout_s):
        """Return when there is an address. Raises PointError(OFFLINE or SETTING)."""
        try:
            if self._apn[0] and not self._set:
                self._set = set_apn(self._pdp, self._apn)
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
            net.setModemFun(0)
            sleep_ms(1000)
            net.setModemFun(1)
        elif stage[0] == 3:  # registered, but nobody has dialled, or it was hung up
            dial(self._pdp, self._apn)


def _waiter():
    """checkNet's function (seconds) -> (stage, state), by the name that it has."""
    import checkNet

    for name in ("waitNetworkReady", "wait_network_connected"):
        if hasattr(checkNet, name):
            return getattr(checkNet, name)
    return checkNet.CheckNetwork("PointAccess", "").wait_network_connected


def dial(pdp, apn):
    """Ask for a data call; it is up some seconds later, or not at all."""
    if hasattr(dataCall, "activate"):
        dataCall.activate(pdp)
    else:
        dataCall.start(pdp, 0, apn[0], apn[1], apn[2], apn[3])


def set_apn(pdp, apn):
    """Have the module dial with `apn`, (name, user, password, auth); it keeps that.

    Returns True. Nothing is written to flash that is there already.
    """
    name, user, password, auth = apn
    try:
        if hasattr(dataCall, "setPDPContext"):
            if tuple(dataCall.getPDPContext(pdp)) == (0, name, user, password, auth):
                return True
            done = dataCall.setPDPContext(pdp, 0, name, user, password, auth)
            dial(pdp, apn)
        elif _kept(_KEPT) == (str(pdp), name, user, password, str(auth)):
            return True
        else:
            done = dataCall.setApn(pdp, 0, name, user, password, auth)
    except ValueError:  # longer than this firmware takes
        done = -1
    if done != 0:
        raise PointError(SETTING, "board.json: the module refuses the APN")
    return True


def _kept(path):
    """What setApn() has left for the module's next start, None if nothing."""
    try:
        with open(path) as file:
            kept = json.loads(file.read())
        names = ("pdp", "apn", "user", "password", "authtype")
        return tuple(str(kept[name]) for name in names)
    except (OSError, ValueError, KeyError, TypeError):
        return None
