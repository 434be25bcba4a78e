"""The server's certificate: loaded, and loaded again whenever its files change."""

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
    """A certificate with its key in files, and the context that serves them.

    Raises PointctlError for files that cannot be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self.path = certificate
        self._key = key
        self._loaded = self._stamp()
        self.context = _context()
        self._load_into(self.context)

    def reload(self) -> bool:
        """Serve new connections with what the files now hold; False if nothing is new.

        Raises PointctlError for files that cannot be used: the old ones stay in use.
        """
        found = self._stamp()
        if found == self._loaded:
            return False
        # Tried elsewhere first: half of a new pair would take the old one's place.
        self._load_into(_context())
        self._load_into(self.context)
        self._loaded = found
        return True

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        """What changes with the files."""
        files = []
        for path in (self.path, self._key):
            if not path.is_file():
                raise PointctlError(f"{path} is missing; run pointctl ca init")
            found = path.stat()
            files.append((found.st_mtime_ns, found.st_ino, found.st_size))
        return tuple(files)

    def _load_into(self, context: ssl.SSLContext) -> None:
        try:
            # Without a password of its own OpenSSL would ask the terminal for one.
            context.load_cert_chain(self.path, self._key, password="")
        except ssl.SSLError as error:
            raise PointctlError(
                f"{self.path} and {self._key} are no certificate with its key: "
                f"{error.reason}"
            ) from error


@asynccontextmanager
async def watched(certificate: Certificate | None) -> AsyncIterator[None]:
    """Load it again when it changes, for as long as the block runs."""
    task = asyncio.create_task(_watch(certificate)) if certificate else None
    try:
        yield
    finally:
        if task:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _watch(certificate: Certificate) -> None:
    told = None
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        try:
            if certificate.reload():
                _log.info("certificate loaded", path=str(certificate.path))
            told = None
        except (PointctlError, OSError) as error:
            if told != str(error):  # once, not every time
                told = str(error)
                _log.error("certificate not loaded", reason=told)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    # Boards resume no sessions, and these were two records on each new connection.
    context.num_tickets = 0
    return context
