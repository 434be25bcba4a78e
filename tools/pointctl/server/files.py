"""CSV files in requests and replies. They are kept on disk, not in memory."""

import io
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import IO, TextIO

from fastapi import Request
from fastapi.responses import StreamingResponse

from pointctl.registry.devices import device_csv

MAX_FILE_BYTES = 64 << 20  # a million devices take half of it
_MAX_MEMORY_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16


@asynccontextmanager
async def receive_body(request: Request) -> AsyncIterator[IO[bytes]]:
    """Store the body in a temporary file, and open it from its beginning."""
    with tempfile.SpooledTemporaryFile(_MAX_MEMORY_BYTES) as file:
        async for chunk in request.stream():
            file.write(chunk)
        file.seek(0)
        yield file


@contextmanager
def open_text(file: IO[bytes]) -> Iterator[TextIO]:
    """Open a file as text in the encoding of registry/devices/device_csv.py."""
    text = io.TextIOWrapper(file, encoding=device_csv.ENCODING, newline="")
    try:
        yield text
    finally:
        text.detach()


def send_csv(name: str, write: Callable[[TextIO], object]) -> StreamingResponse:
    """Reply with what `write` writes; browsers save it as `name`."""
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
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
