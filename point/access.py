"""PointAccess: from an IMEI to credentials (seed document 003 §4)."""

from .compat import os, provisioning
from .errors import FETCH_FAILED, NO_MEMORY, SUCCESS, PointError

_NO_MEMORY = PointError(NO_MEMORY, "on the way to credentials")


def _empty():
    device = {name: "" for name in ("productKey", "deviceName", "deviceSecret")}
    device["productSecret"] = None
    return {"device": device, "connect": {"qos": 1, "host": "", "cleanSession": 1}}


class PointAccess:
    """Asks a provisioning server for this board's credentials and keeps them.

    `board`: as firmware/template/board.py; else sockets and this folder serve.
    `post` is called like requests.post instead of our own HTTPS. `trust`: point.trust.
    With `claim_key` requests are signed, and only sealed replies count."""

    success_code = SUCCESS
    spread_s = 0  # the first request waits a random time of up to so many seconds
    flash_key = None  # 32 bytes of this board's own, which encrypt its flash
    identity = None  # what to register with a cloud as: identity() in its settings
    overrides = {}  # members of "connect" that replace those of the server

    def __init__(
        self,
        board=None,
        post=None,
        trust=None,
        claim_key=None,
        timeout_s=30,
        store=None,
    ):
        self.device_config = _empty()
        self.error = self.source = self._claim = self._opened = self._confirmed = None
        self.retry_after_s = self._lived = 0
        self.board, self._clock = board, None
        self.random = board.random if board else os.urandom
        self.post, self.trust, self.claim_key = post, trust, claim_key
        self.timeout_s, self._store = timeout_s, store
        self.rejected = False  # True: the broker refuses them, ensure() finds better

    def request(self, url, data, headers=None):
        """POST `data` to `url` once, return the code.

        "00000": `device_config` is new; else it is untouched, and `error` says why.
        "77777": no configuration. "99999": no code. Any other: the server's refusal."""
        try:
            with provisioning:
                from . import provision_exchange

                return provision_exchange.request(self, url, data, headers)
        except MemoryError:
            return self.no_memory()

    def ensure(self, url, data, attempts=5, headers=None):
        """Load credentials from flash, or get them from the server and keep them.

        Tries `attempts` times. Returns the last code, "77777" if the flash fails."""
        try:
            with provisioning:
                from . import provision

                code = provision.ensure(self, url, data, attempts, headers)
        except MemoryError:
            return self.no_memory()
        if code == SUCCESS:
            provision = self._claim = self._opened = None  # what is held would stay
            provisioning.unload()
        return code

    def confirm(self):
        """Keep that the broker accepted them. Raises PointError(FLASH or READ_BACK)."""
        if not self._confirmed:  # else the flash says that they have worked
            self.claim.settle()
            self.store.confirm()  # last: then all is settled where this is done
        self._claim = self._opened = None
        provisioning.unload()

    def load(self, verb="load"):
        """Load the credentials from flash. False if it holds none."""
        store = self.store
        record = getattr(store, verb)()
        if record is None:
            return False
        try:
            with provisioning:
                from . import credentials
            self.adopt(credentials.checked(record), "flash")
            self._lived = record.get("time") or 0
            self._confirmed = store.confirmed and not set(store.pending()) - {"reset"}
        except PointError as error:
            self.error = error
            return False
        return True

    def revert(self):
        """Go back to credentials that had worked. False if there are none."""
        return self.load("revert")

    def forget(self):
        """Erase the credentials from flash and from here. Raises PointError(FLASH)."""
        self.store.clear()
        self.adopt(_empty(), None)

    def adopt(self, config, source):
        """Make a checked device_config the current one."""
        config["connect"].update(self.overrides)
        self.device_config = config
        self.source = source
        self.error = self._confirmed = None

    @property
    def store(self):
        """The point.store.Store that was given, or the one in the board's flash."""
        if self._opened is None:
            with provisioning:
                from .store import Store
            directory = self.board.DIR if self.board else "."
            self._opened = self._store or Store(directory, self.flash_key, self.random)
        return self._opened

    @property
    def claim(self):
        """The point.claim.Claim in the store."""
        if self._claim is None:
            with provisioning:
                from .claim import Claim
            self._claim = Claim(self.store, self.random)
        return self._claim

    def now(self):
        """Unix seconds, 0 if the clock is not known to be right."""
        return self.board and self.board.now() or 0

    def set_clock(self):
        """Set a wrong clock, so that dates of certificates count. Only with a CA."""
        if self.board and self.trust and self.trust.get("ca"):
            if self._clock is None:
                from .clock import Clock

                self._clock = Clock(self.board)
            self._clock.ensure(self._lived)

    def no_memory(self):
        self.error = _NO_MEMORY  # a new one could not be made
        return FETCH_FAILED
