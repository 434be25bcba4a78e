"""What boards ask, as typed requests: made once, where a request enters the server."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from point.host.protocol_server import DecodedRequest


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A board asks for its credential and signs nothing: version 1.

    A claim without a request id or a signature counts as one. The class has values for
    both, so that checking them costs the same time as for a signed request.
    """

    imei: str
    product_key: str | None
    time_s: int = 0  # the board's clock, Unix seconds; 0 without one
    address: str | None = None  # where it came from, for the rate limits

    request_id: ClassVar[str] = ""
    signature: ClassVar[str] = "0" * 64


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A board asks for its credential and signs the request: version 2."""

    imei: str
    product_key: str | None
    time_s: int
    address: str | None
    request_id: str
    signature: str = field(repr=False)
    proof: str | None = field(default=None, repr=False)  # that it has a deviceSecret


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A board has stored the credential of this request id."""

    imei: str
    product_key: str | None
    time_s: int
    address: str | None
    request_id: str
    signature: str = field(repr=False)


SignedRequest = ClaimRequest | Acknowledgement
BoardRequest = OpenRequest | SignedRequest


def board_request(
    decoded: "DecodedRequest", address: str | None = None
) -> BoardRequest:
    """Make a request of what point.host.protocol_server.decode_request() returned."""
    names = decoded["imei"], decoded["productKey"], decoded["time"], address
    request_id, signature = decoded["requestId"], decoded["sign"]
    if decoded["ack"]:
        return Acknowledgement(*names, request_id or "", decoded["ack"])
    if request_id and signature:
        return ClaimRequest(*names, request_id, signature, decoded["proof"])
    return OpenRequest(*names)
