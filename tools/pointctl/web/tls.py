"""The server's certificate; it is reloaded when its files change."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog

from pointctl.errors import PointctlError

_LOOK_EVERY_S = 2

_log = structlog.get_logger()


class Certificate:
    """A certificate and its key in files, and the TLS context that uses them.

    Raises PointctlError for files that cannot be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self.path = certificate
        self._key = key
        self._loaded = self._stamp()
        self.context = _context()
        self._load_into(self.context)

    def reload(self) -> bool:
        """Use the files for new connections; return False if they have not changed.

        Raises PointctlError for files that cannot be used; then it keeps the old ones.
        """
        found = self._stamp()
        if found == self._loaded:
            return False
        # Try another context first: a bad key would leave this one with half a pair.
        self._load_into(_context())
        self._load_into(self.context)
        self._loaded = found
        return True

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        """Return values that change whenever the files change."""
        files = []
        for path in (self.path, self._key):
            if not path.is_file():
                raise PointctlError(f"{path} is missing; run pointctl ca init")
            found = path.stat()
            files.append((found.st_mtime_ns, found.st_ino, found.st_size))
        return tuple(files)

    def _load_into(self, context: ssl.SSLContext) -> None:
        try:
            # Without a password, OpenSSL would ask for one at the terminal.
            context.load_cert_chain(self.path, self._key, password="")
        except ssl.SSLError as error:
            raise PointctlError(
                f"{self.path} and {self._key} are not a certificate and its key: "
                f"{error.reason}"
            ) from error


@asynccontextmanager
async def watch(certificate: Certificate | None) -> AsyncIterator[None]:
    """Reload the certificate when its files change, while the block runs."""
    task = asyncio.create_task(_reload_on_change(certificate)) if certificate else None
    try:
        yield
    finally:
        if task:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _reload_on_change(certificate: Certificate) -> None:
    logged = None  # each reason once, not every two seconds
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        try:
            if certificate.reload():
                _log.info("certificate loaded", path=str(certificate.path))
            logged = None
        except (PointctlError, OSError) as error:
            if logged != str(error):
                logged = str(error)
                _log.error("certificate not loaded", reason=logged)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    # Boards do not resume sessions, and tickets would cost two records a connection.
    context.num_tickets = 0
    return context
