"""PointAccess: from an IMEI to credentials (seed document 003 §4).

The modules that provision are imported when they are needed: a board that finds its
credentials in flash never loads them.
"""

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


def _empty():
    return {
        "device": {
            "productKey": "",
            "productSecret": None,
            "deviceName": "",
            "deviceSecret": "",
        },
        "connect": {"qos": 1, "host": "", "cleanSession": 1},
    }


def _headers(options):
    for name in options:
        if name != "headers":
            raise PointError(OPTION, "unknown option " + name)
    return options.get("headers")


class PointAccess:
    """Asks a provisioning server for this board's credentials and keeps them.

    `board` is a module as firmware/template/board.py describes; without one, sockets
    are used directly and the current directory is the flash. `post` replaces our own
    HTTPS with anything that is called like requests.post. `ca`, DER bytes, is what the
    server is verified against. `store` is a point.store.Store.
    """

    success_code = SUCCESS

    def __init__(self, board=None, post=None, ca=None, timeout_s=30, store=None):
        self.device_config = _empty()
        self.error = None
        self.source = None
        self.board = board
        self.timeout_s = timeout_s
        self._post = post
        self._ca = ca
        self._store = store
        self._warned = False

    def request(self, url, data, **kwargs):
        """POST `data` to `url` once, return the code; the only option is `headers`.

        "00000": `device_config` is new. "77777": nothing was got from the server.
        "99999": its reply had no code. Any other is the server's own refusal. Unless it
        is "00000", `device_config` is untouched and `error` says why.
        """
        code, config = self._fetch(url, data, _headers(kwargs))
        if config:
            self.adopt(config, "server")
        return code

    def ensure(self, url, data, attempts=5, **kwargs):
        """Have credentials: from flash, or else from the server and then kept in flash.

        Tries `attempts` times with growing, random pauses, and returns the last code,
        "77777" too if the flash did not take what the server gave.
        """
        from . import run

        headers = _headers(kwargs)
        return run.ensure(self, attempts, lambda: self._fetch(url, data, headers))

    def load(self):
        """Take the credentials that flash holds. False if it holds none."""
        from . import credentials

        record = self.store.load()
        if record is None:
            return False
        try:
            self.adopt(credentials.checked(record), "flash")
        except PointError as error:
            self.error = error
            return False
        return True

    def forget(self):
        """Erase the credentials from flash and from here. Raises PointError(FLASH)."""
        self.store.clear()
        self.adopt(_empty(), None)

    def adopt(self, config, source):
        """Make a checked device_config the current one."""
        self.device_config = config
        self.source = source
        self.error = None

    @property
    def store(self):
        """The point.store.Store that was given, or the one in the board's flash."""
        if self._store is None:
            from .store import Store

            self._store = Store(self.board.DIR if self.board else ".")
        return self._store

    def _fetch(self, url, data, headers):
        """(code, device_config or None) of one exchange; sets `error`."""
        from . import protocol

        try:
            status, body = self._exchange(url, data, headers)
            code, config = protocol.decode_reply(status, body)
        except PointError as error:
            self.error = error
            no_code = error.number == NO_CODE
            return NO_CODE_IN_REPLY if no_code else FETCH_FAILED, None
        except MemoryError:
            self.error = PointError(NO_MEMORY, "while asking the server")
            return FETCH_FAILED, None
        if config is None:
            self.error = PointError(REFUSED, "the server answered " + code)
        return code, config

    def _exchange(self, url, data, headers):
        if self._post:
            from . import foreign

            return foreign.post(self._post, url, data, headers)
        from . import https, stream

        if self._ca is None and not self._warned:
            self._warned = True
            print("PointAccess: no CA is set, so the server is NOT verified")
        connect = self.board.connect if self.board else stream.connect
        return https.post(connect, url, data, headers, self._ca, self.timeout_s)
