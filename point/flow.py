"""Every decision of a boot, as a table of ints; nothing else decides.

A state is what to do next. What became of it, done or failed, gives the state after it.
"""

from .compat import const

LOAD = const(0)  # look into the flash
ONLINE = const(1)  # wait for the network
FETCH = const(2)  # ask the server
KEEP = const(3)  # write what it gave to flash
WAIT = const(4)  # back off; it fails when the attempts are used up
READY = const(5)  # there are credentials, hand over
GIVE_UP = const(6)  # no attempt is left

DONE = const(0)
FAILED = const(1)

_AFTER = (
    # DONE, FAILED
    (READY, ONLINE),  # LOAD
    (FETCH, WAIT),  # ONLINE
    (KEEP, WAIT),  # FETCH
    (READY, WAIT),  # KEEP
    (ONLINE, GIVE_UP),  # WAIT
)

_FIRST_MS = const(2000)
_LONGEST_MS = const(600000)


def after(state, event):
    """The state that follows `state` when `event` became of it."""
    return _AFTER[state][event]


def backoff_ms(attempt, chance):
    """How long to wait before attempt number `attempt` (0 is the second try).

    Exponential with full jitter: anything up to twice as much each time. `chance` is
    two random bytes, so that boards which woke together do not come back together.
    """
    longest = min(_FIRST_MS << min(attempt, 16), _LONGEST_MS)
    return longest * (chance[0] << 8 | chance[1]) >> 16
