"""The loop that provisions a board: does what flow says, and reports the outcome."""

from . import flow
from .compat import sleep_ms
from .errors import FETCH_FAILED, REFUSED, SUCCESS, PointError


def ensure(access, url, data, attempts, headers):
    """Walk to HAND_OVER or STOP, return the last code.

    `access` is the PointAccess to fill. If it is rejected, the walk begins at REVERT:
    the broker has refused its credentials.
    """
    walk = _Walk(access, attempts, (access, url, data, headers))
    state = flow.REVERT if access.rejected else flow.LOAD
    access.rejected = False
    try:
        while state < flow.HAND_OVER:
            walk.feed()
            try:
                event = walk.actions[state]()
            except PointError as error:
                access.error = error
                event = flow.FAILED
            except MemoryError:
                if state == flow.LOAD:
                    raise  # flash may hold credentials: do not ask the server
                access.no_memory()
                event = flow.FAILED
            state = flow.next_state(state, event)
    finally:
        walk.hang_up()
    return SUCCESS if state == flow.HAND_OVER else walk.code


class _Walk:
    """The actions. Each returns DONE, FAILED or REFUSED, or raises PointError."""

    def __init__(self, access, attempts, request):
        self._access = access
        self._board = access.board
        self._left = attempts
        self._config = None
        self._request = request
        self._exchange = None
        self._renewed = False
        self.code = FETCH_FAILED
        # In the order of flow's states.
        self.actions = (
            self.load,
            self.spread,
            self.online,
            self.clock,
            self.fetch,
            self.keep,
            self.acknowledge,
            self.wait,
            self.revert,
        )

    def load(self):
        return flow.DONE if self._access.load() else flow.FAILED

    def revert(self):
        access = self._access
        refused = access.store.load() or {}
        access.claim.renew(refused.get("requestId"))  # the old id gives the same again
        return flow.DONE if access.revert() else flow.FAILED

    def spread(self):
        """Wait a random part of spread_s, or longer after failures before a reboot."""
        access = self._access
        if access.claim.attempts:
            self._back_off(access.claim.attempts)
        else:
            self._pause(flow.random_part(access.spread_s * 1000, access.random(2)))
        return flow.DONE

    def online(self):
        self._access.error = self._access.claim.count()
        if self._board:
            self._board.online(self._access.timeout_s)
        return flow.DONE

    def clock(self):
        self._access.set_clock()
        return flow.DONE

    def fetch(self):
        from .conversation import begin
        from .protocol import REPLAYED

        self.code = FETCH_FAILED
        self._exchange = begin(*self._request)
        self.code, self._config = self._exchange.fetch()
        if self._config:
            return flow.DONE
        if self.code == REPLAYED and not self._renewed:
            # Once: this refusal proves nothing, and the server counts unused ids.
            self._renewed = True
            self._access.claim.renew(self._exchange.request_id)
        refused = self._access.error.number == REFUSED
        return flow.REFUSED if refused else flow.FAILED

    def keep(self):
        self.code = FETCH_FAILED  # credentials that are not in flash do not count
        access = self._access
        record = dict(self._config)
        record["time"] = access.now()
        record["requestId"] = self._exchange.request_id
        access.store.save(record)
        access.adopt(self._config, "server")
        return flow.DONE

    def acknowledge(self):
        self._exchange.acknowledge()
        return flow.DONE

    def wait(self):
        self._left -= 1
        if self._left <= 0:
            return flow.FAILED
        self.hang_up()
        self._back_off(self._access.claim.attempts - 1)
        return flow.DONE

    def hang_up(self):
        """End the conversation, if there is one."""
        if self._exchange:
            self._exchange.close()
            self._exchange = None

    def feed(self):
        """Feed the watchdog: each step may take most of its time."""
        if self._board:
            self._board.feed()

    def _back_off(self, attempt):
        access = self._access
        asked_s, access.retry_after_s = access.retry_after_s, 0  # it counts once
        self._pause(flow.backoff_ms(attempt, access.random(2), asked_s))

    def _pause(self, ms):
        while ms > 0:
            self.feed()
            sleep_ms(min(ms, 1000))
            ms -= 1000
