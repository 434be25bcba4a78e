"""Every decision of a board's life, as a table of ints; nothing else decides.

A state is the action to do next. Its outcome gives the next state: it was done, it
failed (the network, the flash, a malformed reply), or the other side refused.
docs/architecture.md draws this table.
"""

from .compat import const

LOAD = const(0)  # look into the flash
SPREAD = const(1)  # wait a random moment: boards wake together
ONLINE = const(2)  # wait for the network
CLOCK = const(3)  # set the clock, for the dates of certificates
FETCH = const(4)  # ask for credentials
KEEP = const(5)  # write them to flash, and read them back
ACKNOWLEDGE = const(6)  # tell the server so
WAIT = const(7)  # back off; it fails when the attempts are used up
REVERT = const(8)  # the broker refused: go back to what had worked
HAND_OVER = const(9)  # there are credentials
STOP = const(10)  # no attempt is left

DONE = const(0)
FAILED = const(1)
REFUSED = const(2)

_AFTER = (
    # DONE, FAILED, REFUSED
    (HAND_OVER, SPREAD, SPREAD),  # LOAD
    (ONLINE, ONLINE, ONLINE),  # SPREAD
    (CLOCK, WAIT, WAIT),  # ONLINE
    (FETCH, WAIT, WAIT),  # CLOCK
    (KEEP, WAIT, WAIT),  # FETCH
    (ACKNOWLEDGE, WAIT, WAIT),  # KEEP
    (HAND_OVER, HAND_OVER, HAND_OVER),  # ACKNOWLEDGE: the server will see us connect
    (ONLINE, STOP, STOP),  # WAIT
    (HAND_OVER, SPREAD, SPREAD),  # REVERT: nothing has, so ask under a new request id
)

_FIRST_MS = const(2000)
_LONGEST_MS = const(2400000)  # mean 20 min: 13 in one hour is one chance in millions


def next_state(state, event):
    """The state after `state`, by the outcome of its action."""
    return _AFTER[state][event]


def backoff_ms(attempt, chance, retry_after_s=0):
    """How long to wait after failed attempt number `attempt`, counted from 0.

    Full jitter: anything up to a limit that doubles each time to 40 minutes. A server
    that asked for `retry_after_s` gets at least that, and that again at random or what
    the attempts ask for: one that always says "in a second" is not asked each second.
    `chance` is two random bytes, so boards that woke together do not return together.
    """
    least = retry_after_s * 1000
    longest = min(_FIRST_MS << min(max(attempt, 0), 16), _LONGEST_MS)
    return random_part(max(longest, least), chance) + least


def random_part(most, chance):
    """A random part of `most`, by two random bytes."""
    return most * (chance[0] << 8 | chance[1]) >> 16
