"""The certificate authority: clients verify its certificates; keys stay private."""

import ipaddress
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from pointctl import certificates
from pointctl.errors import PointctlError, Refused


def verify(authority, server, name):
    """Verify by the rules of the web, as the strictest clients do."""
    subject: x509.IPAddress | x509.DNSName
    try:
        subject = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        subject = x509.DNSName(name)
    builder = PolicyBuilder().store(Store([authority.certificate]))
    builder.build_server_verifier(subject).verify(server.certificate, [])


@pytest.fixture(scope="module")
def ca():
    return certificates.create_authority()


@pytest.mark.parametrize("name", certificates.LOCAL_NAMES)
def test_the_server_is_verified_under_each_of_its_names(ca, name):
    """Names and addresses, IPv6 too."""
    verify(ca, certificates.issue_server(ca), name)


def test_wildcards_and_given_names(ca):
    """A certificate is valid for the requested names only."""
    server = certificates.issue_server(ca, ["*.example.com", "192.0.2.7"])
    verify(ca, server, "a.example.com")
    verify(ca, server, "192.0.2.7")
    with pytest.raises(VerificationError):
        verify(ca, server, "localhost")


def test_another_authority_is_not_accepted(ca):
    """Another authority is not accepted, though it has the same name."""
    server = certificates.issue_server(certificates.create_authority())
    with pytest.raises(VerificationError):
        verify(ca, server, "localhost")


def test_validity_begins_yesterday(ca):
    """A board whose clock is some hours behind still connects."""
    server = certificates.issue_server(ca, days=30).certificate
    now = datetime.now(UTC)
    assert server.not_valid_before_utc < now - timedelta(hours=23)
    assert now + timedelta(days=29) < server.not_valid_after_utc
    assert server.not_valid_after_utc < now + timedelta(days=31)
    assert server.not_valid_after_utc < ca.certificate.not_valid_after_utc


@pytest.mark.parametrize(
    "name", ["https://h", "h:8443", "a b", "", "a/b", "é.example", "*", "*.*.x"]
)
def test_a_wrong_name_is_refused(ca, name):
    """The message says what is wrong; most people paste a URL."""
    with pytest.raises(PointctlError, match="not a host name or address"):
        certificates.issue_server(ca, [name])


def test_files(tmp_path):
    """Keys are readable by their owner only; PEM and DER are the same certificate."""
    files = certificates.init(tmp_path / "ca", ["board.test"])
    assert {path.name for path in files.all()} == {
        path.name for path in files.folder.iterdir()
    }
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700
    for key, certificate in (
        (files.ca_key, files.ca),
        (files.server_key, files.server),
    ):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        public = load_pem_private_key(key.read_bytes(), None).public_key()
        read = x509.load_pem_x509_certificate(certificate.read_bytes())
        assert read.public_key() == public
    pem = x509.load_pem_x509_certificate(files.ca.read_bytes())
    assert x509.load_der_x509_certificate(files.ca_der.read_bytes()) == pem


def test_an_authority_is_not_overwritten_by_accident(tmp_path):
    """Boards trust it, so even a single existing file stops the command."""
    files = certificates.init(tmp_path / "ca")
    before = files.ca_key.read_bytes()
    for path in files.all()[1:]:
        path.unlink()
    with pytest.raises(Refused, match=r"holds ca\.pem"):
        certificates.init(tmp_path / "ca")
    certificates.init(tmp_path / "ca", force=True)
    assert files.ca_key.read_bytes() != before
    assert stat.S_IMODE(files.ca_key.stat().st_mode) == 0o600


def test_a_wrong_name_writes_nothing(tmp_path):
    """A wrong name is found before the first file is written."""
    with pytest.raises(PointctlError):
        certificates.init(tmp_path / "ca", ["a b"])
    assert not (tmp_path / "ca").exists()
