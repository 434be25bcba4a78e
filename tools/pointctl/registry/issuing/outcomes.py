"""What a board's request comes to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from point import protocol
from pointctl.registry.issuing.board_requests import BoardRequest

if TYPE_CHECKING:
    from point.credentials import DeviceConfig


@dataclass(frozen=True)
class CredentialIssued:
    """The board is given its credential. With a `seal_key` it is sealed under it."""

    config: "DeviceConfig" = field(repr=False)
    seal_key: bytes | None = field(default=None, repr=False)
    code: ClassVar[str] = protocol.SUCCESS


@dataclass(frozen=True)
class ClaimClosed:
    """The board's acknowledgement was noted: its request id is spent."""

    code: ClassVar[str] = protocol.SUCCESS


@dataclass(frozen=True)
class RequestRefused:
    """The board is given nothing; `code` says why, as docs/protocol.md has it."""

    code: str
    retry_after_s: int | None = None
    reason: str | None = None  # for the log only


FinalOutcome = CredentialIssued | ClaimClosed | RequestRefused


@dataclass(frozen=True)
class Deferred:
    """What has no outcome yet: `work` takes longer than others may be kept waiting.

    Issuer.finish() does it.
    """

    request: BoardRequest
    work: Callable[[], FinalOutcome] = field(repr=False)


Outcome = FinalOutcome | Deferred
