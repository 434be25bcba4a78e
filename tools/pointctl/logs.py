"""Write all logs, also those of libraries, as lines of JSON without secrets."""

import logging
import sys
import traceback
from functools import lru_cache
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from point.errors import PointError
from pointctl.errors import PointctlError

_SECRET_WORDS = ("secret", "password", "token", "private", "master", "claim_key")


def configure(stream: TextIO | None = None) -> None:
    """Write every log line of this process, also those of libraries, to the stream.

    The default stream is stdout.
    """
    stream = stream or sys.stdout
    first: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    last: list[Processor] = [
        render_exception,
        redact,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
    # Our own events bypass logging: a server writes one for each request, and logging
    # takes three times as long.
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=first,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank every value, at any depth, whose name says that it is a secret."""
    return {name: _redact_value(name, value) for name, value in event.items()}


def _redact_value(name: str, value: object) -> object:
    if _is_secret(name):
        return "[redacted]"
    if isinstance(value, dict):
        return {inner: _redact_value(str(inner), value[inner]) for inner in value}
    if isinstance(value, list | tuple):
        return [_redact_value("", item) for item in value]
    return value


@lru_cache
def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_WORDS)


def render_exception(
    _logger: WrappedLogger, _method: str, event: EventDict
) -> EventDict:
    """Replace exc_info by the exception's class and stack.

    Leaves out its text, because it may quote a secret; only the text of our own
    exceptions never does.
    """
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        if isinstance(error, PointctlError | PointError):
            event["detail"] = str(error)
        frames = traceback.extract_tb(error.__traceback__)
        event["stack"] = [f"{f.filename}:{f.lineno} {f.name}" for f in frames]
    return event
