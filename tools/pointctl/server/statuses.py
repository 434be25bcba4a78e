"""The HTTP statuses for the errors of the registry."""

from pointctl.errors import PartlyFailed, PointctlError, Refused
from pointctl.registry.accounts.operators import UnknownOperator
from pointctl.registry.accounts.tokens import UnknownToken
from pointctl.registry.devices.devices import UnknownDevice
from pointctl.registry.devices.products import UnknownBatch, UnknownProduct
from pointctl.registry.storage.database import DatabaseError
from pointctl.registry.storage.etags import Changed

# The first that matches. Any other error is a mistake in the request: 422.
_STATUS: tuple[tuple[type[PointctlError], int], ...] = (
    (UnknownDevice, 404),
    (UnknownOperator, 404),
    (UnknownProduct, 404),
    (UnknownToken, 404),
    (UnknownBatch, 404),
    (DatabaseError, 503),
    (Changed, 412),
    (Refused, 409),
    (PartlyFailed, 502),
)


def status_of(error: PointctlError) -> int:
    """Return the HTTP status for an error."""
    found = (status for kind, status in _STATUS if isinstance(error, kind))
    return next(found, 422)
