"""Checks of this machine: file modes, certificate, disk, backup, user."""

import ipaddress
import os
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from pointctl import certificates
from pointctl.certificates import CaFiles
from pointctl.doctor.findings import Finding, ok, weak, wrong
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder

_MOUNTS = Path("/proc/self/mounts")
_NETWORK_TYPES = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs")
_CERTIFICATE_DAYS = 30
_BACKUP_DAYS = 7


def check_modes(folder: DataFolder, *others: Path) -> Iterator[Finding]:
    """Check the modes of the folder and of the files with secrets."""
    files = CaFiles(folder.ca)
    registry = [Path(f"{folder.registry}{end}") for end in ("", "-wal", "-shm")]
    secret = [folder.claim_master, folder.database_key, files.server_key, files.ca_key]
    is_open = False
    for path in (*secret, *registry, *others):
        if path.exists() and path.stat().st_mode & 0o077:
            is_open = True
            yield wrong("file modes", f"others may read {path}", f"chmod 600 {path}")
    if folder.path.exists() and folder.path.stat().st_mode & 0o077:
        remedy = f"chmod 700 {folder.path}"
        yield weak("file modes", f"others may enter {folder.path}", remedy)
    elif not is_open:
        yield ok("file modes", "only their owner can read the files with secrets")
    if files.ca_key.exists():
        yield weak(
            "authority",
            f"{files.ca_key} is on the server: a thief could pretend to be any server",
            "keep it offline, and copy it here only for pointctl ca renew",
        )


def check_certificate(path: Path, key: Path) -> Iterator[Finding]:
    """Check that the certificate fits its key, its remaining days, and its names."""
    # Imported here: it loads the libraries of the log, which few commands need.
    from pointctl.web.tls import Certificate

    try:
        Certificate(path, key)
    except (PointctlError, OSError) as error:
        yield wrong("certificate", str(error), "pointctl ca init, or ca renew")
        return
    days = certificates.days_left(path)
    found = certificates.read(path)
    assert days is not None
    assert found is not None
    if days < 0:
        yield wrong("certificate", f"{path} has expired", "pointctl ca renew")
    elif days < _CERTIFICATE_DAYS:
        yield weak("certificate", f"it expires in {days} days", "pointctl ca renew")
    else:
        yield ok("certificate", f"good for {days} days")
    yield _check_names(_names(found))


def _check_names(names: list[str]) -> Finding:
    if all(map(_is_local, names)):
        return weak(
            "certificate names",
            f"boards elsewhere cannot verify {', '.join(names) or 'no name'}",
            "pointctl ca renew --name provision.example.com",
        )
    return ok("certificate names", ", ".join(names))


def _names(found: x509.Certificate) -> list[str]:
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names.value]


def _is_local(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def check_disk(path: Path, mounts: Path = _MOUNTS) -> Iterator[Finding]:
    """Check that an SQLite file is on a local disk, because its locks need that."""
    kind = _filesystem_type(path.resolve(), mounts)
    if kind is None:
        yield weak(
            "disk", "the type of the file system is not known", "use a local disk"
        )
    elif kind.startswith(_NETWORK_TYPES):
        yield wrong(
            "disk",
            f"{path} is on {kind}, where SQLite's locks do not work",
            "move it to a local disk, or use PostgreSQL",
        )
    else:
        yield ok("disk", kind)


def _filesystem_type(path: Path, mounts: Path) -> str | None:
    """Return the type of the file system of a path, None if it is not known."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    best, kind = -1, None
    for line in lines:
        _, mount, mount_type, *_ = line.split()
        mount = mount.encode().decode("unicode_escape")  # \040 is a space
        if path.is_relative_to(mount) and len(mount) >= best:
            best, kind = len(mount), mount_type
    return kind


def check_backup(path: Path | None) -> Finding:
    """Check the age of the newest backup, whose place only the operator knows."""
    remedy = "pointctl db backup, every day, to another machine"
    if path is None:
        return weak("backup", "unknown; name the newest with --backup", remedy)
    if not path.is_file():
        return wrong("backup", f"{path} does not exist", remedy)
    days = (time.time() - path.stat().st_mtime) / 86400
    age = f"{days:.0f} days old"
    return weak("backup", age, remedy) if days > _BACKUP_DAYS else ok("backup", age)


def check_user() -> Finding:
    """Check that this, and so probably the server, does not run as root."""
    if os.geteuid() == 0:
        remedy = "run it as a separate user, as in examples/deploy/pointctl.service"
        return weak("user", "this runs as root; perhaps the server does, too", remedy)
    return ok("user", f"uid {os.geteuid()}")
