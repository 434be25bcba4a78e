"""Check settings.json, board.json and the CA before they are copied to a board."""

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
    """The files that differ from board to board, and hold no secret."""

    files: dict[str, bytes]  # by their names on the board
    product_key: str | None = None
    policy: str | None = None  # None if the source of credentials has no policies


NO_SETUP = Setup({})  # the board keeps the files that it has


def read(settings: Path, ca: Path | None, own: Path) -> Setup:
    """Read the files for a board: a settings.json, and a CA in PEM or DER.

    Without `ca`, use the file beside the settings that they name, or else the
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
        raise PointctlError(f'{settings} names no CA; add "ca": "ca.der" to it')
    if name:
        beside = settings.with_name(name)
        source = ca or (beside if beside.is_file() else own)
        if not source.is_file():
            raise PointctlError(
                f"{ca or beside} is missing; name the CA's file with --ca, or run "
                "pointctl ca init"
            )
        if name in files:
            raise PointctlError(
                f"{settings}: the CA has the name of the settings; give it another one"
            )
        files[name] = load_ca_der(source)
    policy = wanted["policy"] if wanted["source"] == "access" else None
    return Setup(files, wanted["productKey"], policy)


def add_wiring(setup: Setup, file: Path) -> Setup:
    """Return the setup with a board.json.

    The board checks its content after deployment, with the rules of its firmware.
    """
    text = file.read_bytes()
    try:
        is_object = isinstance(strictjson.loads(text), dict)
    except ValueError:
        is_object = False
    if not is_object:
        raise PointctlError(
            f"{file} is not a JSON object; see docs/boards/esp32.md for its members"
        )
    return replace(setup, files={**setup.files, WIRING: text})


def check_names(setup: Setup, firmware: Collection[str]) -> None:
    """Raise PointctlError if the CA would replace another file of ours."""
    taken = {*firmware, CLAIM_KEY, MANIFEST, JOURNAL, NEW_MAIN, *CREDENTIALS, *PENDING}
    for name in setup.files.keys() & taken:
        raise PointctlError(f"the CA cannot be called {name} on a board; rename it")


def load_ca_der(path: Path) -> bytes:
    """Return a CA's certificate, PEM or DER, as DER: boards accept nothing else.

    Raises PointctlError for a file without a CA, an expired one, or more than one.
    """
    data = path.read_bytes()
    try:
        if b"-----BEGIN" in data:
            found = x509.load_pem_x509_certificates(data)
        else:
            found = [x509.load_der_x509_certificate(data)]
    except ValueError:
        raise PointctlError(
            f"{path} does not hold a certificate in PEM or DER; name the CA's file"
        ) from None
    if len(found) > 1:
        raise PointctlError(
            f"{path} holds {len(found)} certificates; a board accepts one: give the "
            "CA's only"
        )
    (certificate,) = found
    if certificate.issuer != certificate.subject and not _is_ca(certificate):
        raise PointctlError(
            f"{path} is a server's certificate: give the certificate of the CA that "
            "signed it"
        )
    if certificate.not_valid_after_utc < datetime.now(UTC):
        day = certificate.not_valid_after_utc.date()
        raise PointctlError(
            f"{path} expired on {day}: no board would accept it; give a newer CA"
        )
    return certificate.public_bytes(Encoding.DER)


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return False
    return found.value.ca
