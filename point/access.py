"""PointAccess: from an IMEI to credentials (seed document 003 §4).

The modules that provision are imported when they are needed: a board that finds its
credentials in flash never loads them.
"""

from . import flow
from .compat import os, sleep_ms
from .errors import (
    FETCH_FAILED,
    NO_CODE,
    NO_CODE_IN_REPLY,
    NO_MEMORY,
    OPTION,
    REFUSED,
    SUCCESS,
    PointError,
)


def _nothing():
    return {
        "device": {
            "productKey": "",
            "productSecret": None,
            "deviceName": "",
            "deviceSecret": "",
        },
        "connect": {"qos": 1, "host": "", "cleanSession": 1},
    }


class PointAccess:
    """Asks a provisioning server for this board's credentials and keeps them.

    `board` is a module as firmware/template/board.py describes; without one, sockets
    are used directly and the current directory is the flash. `post` replaces our own
    HTTPS with anything that is called like requests.post. `ca`, DER bytes, is what the
    server is verified against. `store` is a point.store.Store.
    """

    success_code = SUCCESS

    def __init__(self, board=None, post=None, ca=None, timeout_s=30, store=None):
        self.device_config = _nothing()
        self.error = None
        self.source = None
        self._board = board
        self._post = post
        self._ca = ca
        self._timeout_s = timeout_s
        self._store = store
        self._warned = False

    def request(self, url, data, **kwargs):
        """POST `data` to `url` once, return the code; the only option is `headers`.

        "00000": `device_config` is new. "77777": nothing was got from the server.
        "99999": its reply had no code. Any other is the server's own refusal. Unless it
        is "00000", `device_config` is untouched and `error` says why.
        """
        code, config = self._fetch(url, data, **kwargs)
        if config:
            self.device_config = config
            self.source = "server"
        return code

    def load(self):
        """Take the credentials that flash holds. False if it holds none."""
        from . import credentials

        record = self.store.load()
        try:
            self.device_config = credentials.checked(record)
        except PointError as error:
            self.error = error
            return False
        self.error = None
        self.source = "flash"
        return True

    def ensure(self, url, data, attempts=5, **kwargs):
        """Have credentials: from flash, or else from the server and then kept in flash.

        Tries `attempts` times with growing, random pauses, and returns the last code,
        "77777" too if the flash did not take what the server gave.
        """
        state = flow.LOAD
        code = FETCH_FAILED
        tried = 0
        config = None
        while state not in (flow.READY, flow.GIVE_UP):
            done = True
            if state == flow.LOAD:
                done = self.load()
            elif state == flow.ONLINE:
                done = self._online()
            elif state == flow.FETCH:
                code, config = self._fetch(url, data, **kwargs)
                done = config is not None
            elif state == flow.KEEP:
                done = self._keep(config)
                code = code if done else FETCH_FAILED
            elif state == flow.WAIT:
                done = tried + 1 < attempts
                if done:
                    self._pause(flow.backoff_ms(tried, self._random(2)))
                tried += 1
            state = flow.after(state, flow.DONE if done else flow.FAILED)
        return SUCCESS if state == flow.READY else code

    def forget(self):
        """Erase the credentials from flash and from here. Raises PointError(FLASH)."""
        self.store.clear()
        self.device_config = _nothing()
        self.source = None

    @property
    def store(self):
        if self._store is None:
            from .store import Store

            self._store = Store(self._board.DIR if self._board else ".")
        return self._store

    def _online(self):
        try:
            if self._board:
                self._board.online(self._timeout_s)
        except PointError as error:
            self.error = error
            return False
        return True

    def _keep(self, config):
        try:
            self.store.save(config)
        except PointError as error:
            self.error = error
            return False
        self.device_config = config
        self.source = "server"
        return True

    def _pause(self, ms):
        """Wait, and feed the watchdog meanwhile."""
        while ms > 0:
            if self._board:
                self._board.feed()
            sleep_ms(min(ms, 1000))
            ms -= 1000

    def _random(self, count):
        return self._board.random(count) if self._board else os.urandom(count)

    def _fetch(self, url, data, **kwargs):
        """(code, device_config or None) of one exchange; sets `error`."""
        headers = kwargs.pop("headers", None)
        for name in kwargs:
            raise PointError(OPTION, "unknown option " + name)
        from . import protocol

        self.error = None
        try:
            status, body = self._exchange(url, data, headers)
            code, config = protocol.decode_reply(status, body)
        except PointError as error:
            self.error = error
        except MemoryError:
            self.error = PointError(NO_MEMORY, "while asking the server")
        else:
            if config is None:
                self.error = PointError(REFUSED, "the server answered " + code)
            return code, config
        no_code = self.error.number == NO_CODE
        return NO_CODE_IN_REPLY if no_code else FETCH_FAILED, None

    def _exchange(self, url, data, headers):
        if self._post:
            from . import foreign

            return foreign.post(self._post, url, data, headers)
        from . import https, stream

        if not self._ca and not self._warned:
            self._warned = True
            print("PointAccess: no CA is set, so the server is NOT verified")
        connect = self._board.connect if self._board else stream.connect
        return https.post(connect, url, data, headers, self._ca, self._timeout_s)
