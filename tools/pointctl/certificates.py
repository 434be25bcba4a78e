"""Make a certificate authority, and the server certificate that it signs."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from point import credentials
from point.errors import PointError
from pointctl.errors import PointctlError, Refused
from pointctl.folder import private_file, private_folder

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
SERVER_DAYS = 825
AUTHORITY_DAYS = 3650


@dataclass(frozen=True)
class Identity:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> str:
        """Return the certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def der(self) -> bytes:
        """Return the certificate as DER, which MicroPython up to 1.28 needs."""
        return self.certificate.public_bytes(Encoding.DER)

    def key_pem(self) -> str:
        """Return the private key as PEM, unencrypted."""
        return self.key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode()


@dataclass(frozen=True)
class CaFiles:
    """The files that `init` writes into one folder."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def ca_key(self) -> Path:
        return self.folder / "ca.key"

    @property
    def ca_der(self) -> Path:
        return self.folder / "ca.der"

    @property
    def server(self) -> Path:
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.folder / "server.key"

    def all(self) -> tuple[Path, ...]:
        """Return all paths."""
        return self.ca, self.ca_key, self.ca_der, self.server, self.server_key


def create_authority(days: int = AUTHORITY_DAYS) -> Identity:
    """Create a P-256 authority that can sign servers, but no further authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("PointAccess CA")
    builder = (
        _builder(name, name, key, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return Identity(builder.sign(key, hashes.SHA256()), key)


def issue_server(
    authority: Identity, names: Sequence[str] = LOCAL_NAMES, days: int = SERVER_DAYS
) -> Identity:
    """Issue a server certificate for DNS names and IP addresses.

    Raises PointctlError for a name that is neither.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
    signer = authority.certificate
    identifier = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    builder = (
        _builder(_name(names[0][:64]), signer.subject, key, days)
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                identifier.value
            ),
            critical=False,
        )
    )
    return Identity(builder.sign(authority.key, hashes.SHA256()), key)


def init(
    folder: Path,
    names: Sequence[str] = LOCAL_NAMES,
    days: int = SERVER_DAYS,
    *,
    force: bool = False,
) -> CaFiles:
    """Write a new authority and a server certificate into `folder`.

    Raises Refused if one of the files exists, unless `force`, and PointctlError for a
    wrong name.
    """
    files = CaFiles(folder)
    present = [path.name for path in files.all() if path.exists()]
    if present and not force:
        raise Refused(
            f"{folder} holds {', '.join(present)}; --force replaces them, and then all "
            "boards that trust the old ca.der need the new one"
        )
    authority = create_authority()
    server = issue_server(authority, names, days)
    private_folder(folder)
    with private_file(files.ca_key) as file:
        file.write(authority.key_pem())
    files.ca.write_text(authority.pem())
    files.ca_der.write_bytes(authority.der())
    _write_server(files, server)
    return files


def renew(
    folder: Path, names: Sequence[str] | None = None, days: int = SERVER_DAYS
) -> CaFiles:
    """Replace the server certificate in `folder`; the same authority signs it.

    It keeps its names unless others are given. Raises PointctlError if `folder` does
    not hold what `init` wrote, and for a wrong name.
    """
    files = CaFiles(folder)
    missing = [path.name for path in files.all() if not path.exists()]
    if missing:
        raise PointctlError(
            f"{folder} lacks {', '.join(missing)}; run pointctl ca init"
        )
    try:
        key = load_pem_private_key(files.ca_key.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(files.ca.read_bytes())
        old = x509.load_pem_x509_certificate(files.server.read_bytes())
        found = old.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, TypeError, x509.ExtensionNotFound):
        raise PointctlError(
            f"{folder} holds files that pointctl ca init did not write; name another "
            "folder with --out"
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise PointctlError(
            f"{files.ca_key} is not a key that pointctl ca init wrote; bring back the "
            "right one"
        )
    names = names or [str(name.value) for name in found.value]
    _write_server(files, issue_server(Identity(certificate, key), names, days))
    return files


def read(path: Path) -> x509.Certificate | None:
    """Return the first certificate in a PEM file, None if there is none."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None


def expiry(path: Path) -> datetime | None:
    """Return when the certificate in a PEM file expires, None if it has none."""
    found = read(path)
    return found.not_valid_after_utc if found else None


def days_left(path: Path) -> int | None:
    """Return the days until the certificate expires, negative after it, or None."""
    until = expiry(path)
    return (until - datetime.now(UTC)).days if until else None


def _write_server(files: CaFiles, server: Identity) -> None:
    with private_file(files.server_key) as file:
        file.write(server.key_pem())
    files.server.write_text(server.pem())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a board's clock may be behind
        .not_valid_after(now + timedelta(days=days))
        .add_extension(identifier, critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        credentials.word("name", name.removeprefix("*."), 253, "-.")
    except PointError as error:
        raise PointctlError(
            f"{name!r} is not a host name or address ({error.detail}); give it without "
            "https:// and port"
        ) from error
    return x509.DNSName(name)
