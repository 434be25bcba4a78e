"""The one loop: does what flow says next, and tells it what became of it."""

from . import flow
from .compat import os, sleep_ms
from .errors import FETCH_FAILED, SUCCESS, PointError


def ensure(access, attempts, fetch):
    """Walk from LOAD to READY or GIVE_UP, return the last code.

    `access` is the PointAccess to fill; `fetch()` gives (code, device_config or None).
    """
    walk = _Walk(access, attempts, fetch)
    state = flow.LOAD
    while state < flow.READY:
        try:
            event = flow.DONE if walk.actions[state]() else flow.FAILED
        except PointError as error:
            access.error = error
            event = flow.FAILED
        state = flow.after(state, event)
    return SUCCESS if state == flow.READY else walk.code


class _Walk:
    def __init__(self, access, attempts, fetch):
        self._access = access
        self._board = access.board
        self._left = attempts
        self._tried = 0
        self._fetch = fetch
        self.code = FETCH_FAILED
        # In the order of flow's states.
        self.actions = (access.load, self.online, self.fetch, self.keep, self.wait)

    def online(self):
        if self._board:
            self._board.online(self._access.timeout_s)
        return True

    def fetch(self):
        self.code, self._config = self._fetch()
        return self._config is not None

    def keep(self):
        self.code = FETCH_FAILED  # what is not in flash has not been got
        self._access.store.save(self._config)
        self._access.adopt(self._config, "server")
        return True

    def wait(self):
        self._left -= 1
        if self._left <= 0:
            return False
        random = self._board.random if self._board else os.urandom
        wait_ms = flow.backoff_ms(self._tried, random(2))
        self._tried += 1
        while wait_ms > 0:
            if self._board:
                self._board.feed()
            sleep_ms(min(wait_ms, 1000))
            wait_ms -= 1000
        return True
