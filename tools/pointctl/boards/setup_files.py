"""settings.json and the CA as a board gets them: checked before anything is copied."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from point import settings as rules
from point.errors import PointError
from pointctl.boards.plan import SETTINGS
from pointctl.errors import PointctlError


@dataclass(frozen=True)
class Setup:
    """What of a board's setup is not the same on every board, and not secret."""

    files: dict[str, bytes]  # by their names on the board
    product_key: str
    policy: str | None  # None where the source of credentials knows none


def read(settings: Path, ca: Path | None, taken: Collection[str]) -> Setup:
    """The files for a board, from a settings.json and a CA in PEM or DER.

    Without `ca` the file that the settings name is taken from beside them. `taken` are
    the names that the firmware needs. Raises PointctlError for what a board would not
    accept.
    """
    text = settings.read_bytes()
    try:
        wanted = rules.parse(text)
    except PointError as error:
        raise PointctlError(f"{settings}: {error.detail}") from error
    files = {SETTINGS: text}
    name = wanted.get("ca")
    if ca and not name:
        raise PointctlError(f'{settings} names no CA; add "ca": "ca.der"')
    if name:
        if name in taken or name == SETTINGS:
            raise PointctlError(f"{settings}: the name {name} is not free on a board")
        source = ca or settings.with_name(name)
        if not source.is_file():
            raise PointctlError(f"{source} is missing; name the CA's file with --ca")
        files[name] = ca_der(source)
    policy = wanted["policy"] if wanted["source"] == "access" else None
    return Setup(files, wanted["productKey"], policy)


def ca_der(path: Path) -> bytes:
    """A CA's certificate, which is in PEM or DER, as DER: boards take nothing else.

    Raises PointctlError for what is no CA, has ended, or is more than one.
    """
    data = path.read_bytes()
    try:
        if b"-----BEGIN" in data:
            found = x509.load_pem_x509_certificates(data)
        else:
            found = [x509.load_der_x509_certificate(data)]
    except ValueError:
        raise PointctlError(f"{path} is no certificate, in PEM or DER") from None
    if len(found) > 1:
        raise PointctlError(
            f"{path} holds {len(found)} certificates; a board takes one: the CA's"
        )
    (certificate,) = found
    if certificate.issuer != certificate.subject and not _signs(certificate):
        raise PointctlError(
            f"{path} is a server's certificate: give the CA's, which has signed it"
        )
    if certificate.not_valid_after_utc < datetime.now(UTC):
        day = certificate.not_valid_after_utc.date()
        raise PointctlError(f"{path} has ended on {day}: no board would accept it")
    return certificate.public_bytes(Encoding.DER)


def _signs(certificate: x509.Certificate) -> bool:
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return False
    return found.value.ca
