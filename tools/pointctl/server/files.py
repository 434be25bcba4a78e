"""CSV files that come with a request, or go with a reply; none is held in memory."""

import io
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import IO, TextIO

from fastapi import Request
from fastapi.responses import StreamingResponse

from pointctl.registry.devices import device_csv

MOST = 64 << 20  # bytes: a million devices take half of it
_IN_MEMORY = 1 << 20
_CHUNK = 1 << 16


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[IO[bytes]]:
    """The body as a file, from its beginning."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        async for chunk in request.stream():
            file.write(chunk)
        file.seek(0)
        yield file


@contextmanager
def as_text(file: IO[bytes]) -> Iterator[TextIO]:
    """Its text, as registry/devices/device_csv.py reads it."""
    text = io.TextIOWrapper(file, encoding=device_csv.ENCODING, newline="")
    try:
        yield text
    finally:
        text.detach()


def sent(name: str, write: Callable[[TextIO], object]) -> StreamingResponse:
    """A reply with what `write` writes, for browsers to keep under `name`."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  _chunks() closes it
    try:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        write(text)
        text.flush()
        text.detach()
        length = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    headers["Content-Length"] = str(length)
    return StreamingResponse(_chunks(file), media_type="text/csv", headers=headers)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
