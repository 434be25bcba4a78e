"""settings.json and the CA as a board gets them: checked before anything is copied."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from point import settings as rules
from point import strictjson
from point.errors import PointError
from pointctl.boards.plan import (
    CLAIM_KEY,
    CREDENTIALS,
    JOURNAL,
    MANIFEST,
    NEW_MAIN,
    PENDING,
    SETTINGS,
)
from pointctl.errors import PointctlError

WIRING = "board.json"


@dataclass(frozen=True)
class Setup:
    """What of a board's setup is not the same on every board, and not secret."""

    files: dict[str, bytes]  # by their names on the board
    product_key: str | None = None
    policy: str | None = None  # None where the source of credentials knows none


NOTHING = Setup({})  # the board's own stays as it is


def read(settings: Path, ca: Path | None, own: Path) -> Setup:
    """The files for a board, from a settings.json and a CA in PEM or DER.

    Without `ca` the file that the settings name is taken from beside them, or else the
    operator's `own`. Raises PointctlError for what a board would not accept.
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
        beside = settings.with_name(name)
        source = ca or (beside if beside.is_file() else own)
        if not source.is_file():
            raise PointctlError(
                f"{ca or beside} is missing; name the CA's file with --ca, or run "
                "pointctl ca init"
            )
        if name in files:
            raise PointctlError(f"{settings}: the CA has the name of the settings")
        files[name] = ca_der(source)
    policy = wanted["policy"] if wanted["source"] == "access" else None
    return Setup(files, wanted["productKey"], policy)


def with_wiring(setup: Setup, file: Path) -> Setup:
    """The same with a board.json. The board itself judges it, when it has the rules."""
    text = file.read_bytes()
    try:
        whole = isinstance(strictjson.loads(text), dict)
    except ValueError:
        whole = False
    if not whole:
        raise PointctlError(f"{file} is not a JSON object")
    return replace(setup, files={**setup.files, WIRING: text})


def check_names(setup: Setup, firmware: Collection[str]) -> None:
    """Raise PointctlError if the CA would take the place of another file of ours."""
    taken = {*firmware, CLAIM_KEY, MANIFEST, JOURNAL, NEW_MAIN, *CREDENTIALS, *PENDING}
    for name in setup.files.keys() & taken:
        raise PointctlError(f"the CA cannot be called {name} on a board; rename it")


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
