"""The machine's side: who may read which file, the certificate, the disk, the age."""

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
_OF_A_NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs")
_CERTIFICATE_DAYS = 30
_BACKUP_DAYS = 7


def modes(folder: DataFolder, *others: Path) -> Iterator[Finding]:
    """The folder, and the files that hold secrets."""
    files = CaFiles(folder.ca)
    registry = [Path(f"{folder.registry}{end}") for end in ("", "-wal", "-shm")]
    secret = [folder.claim_master, folder.database_key, files.server_key, files.ca_key]
    open_to_others = False
    for path in (*secret, *registry, *others):
        if path.exists() and path.stat().st_mode & 0o077:
            open_to_others = True
            yield wrong("file modes", f"others may read {path}", f"chmod 600 {path}")
    if folder.path.exists() and folder.path.stat().st_mode & 0o077:
        remedy = f"chmod 700 {folder.path}"
        yield weak("file modes", f"others may enter {folder.path}", remedy)
    elif not open_to_others:
        yield ok("file modes", "secrets are their owner's only")
    if files.ca_key.exists():
        yield weak(
            "authority",
            f"{files.ca_key} is on the server: who has it can be any server",
            "keep it offline, and bring it for pointctl ca renew only",
        )


def certificate(path: Path, key: Path) -> Iterator[Finding]:
    """Its days, its names, its key."""
    # Only `serve` and this need it, and it loads the log's libraries.
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
        yield wrong("certificate", f"{path} ended", "pointctl ca renew")
    elif days < _CERTIFICATE_DAYS:
        yield weak("certificate", f"ends in {days} days", "pointctl ca renew")
    else:
        yield ok("certificate", f"good for {days} days")
    names = _names(found)
    if all(map(_is_local, names)):
        yield weak(
            "certificate names",
            f"boards elsewhere cannot verify {', '.join(names) or 'no name'}",
            "pointctl ca renew --name provision.example.com",
        )
    else:
        yield ok("certificate names", ", ".join(names))


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


def disk(path: Path, mounts: Path = _MOUNTS) -> Iterator[Finding]:
    """Whether an SQLite file is on a disk of this machine, as its locks need."""
    kind = _filesystem(path.resolve(), mounts)
    if kind is None:
        yield weak("disk", "the kind of file system is not known", "use a local disk")
    elif kind.startswith(_OF_A_NETWORK):
        yield wrong(
            "disk",
            f"{path} is on {kind}: SQLite's locks do not hold there",
            "move it to a local disk, or use PostgreSQL",
        )
    else:
        yield ok("disk", kind)


def _filesystem(path: Path, mounts: Path) -> str | None:
    """The kind of file system that a path is on, if the system tells."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    best, kind = -1, None
    for line in lines:
        _, mount, this, *_ = line.split()
        mount = mount.encode().decode("unicode_escape")  # \040 is a space
        if path.is_relative_to(mount) and len(mount) >= best:
            best, kind = len(mount), this
    return kind


def backup(path: Path | None) -> Iterator[Finding]:
    """How old the newest copy is; nobody but the operator knows where it is."""
    remedy = "pointctl db backup, every day, to another machine"
    if path is None:
        yield weak("backup", "unknown; name the newest with --backup", remedy)
    elif not path.is_file():
        yield wrong("backup", f"{path} is not there", remedy)
    else:
        days = (time.time() - path.stat().st_mtime) / 86400
        say = ok("backup", f"{days:.0f} days old")
        yield weak("backup", say.found, remedy) if days > _BACKUP_DAYS else say


def user() -> Iterator[Finding]:
    """Who runs it."""
    if os.geteuid() == 0:
        remedy = "a user of its own, as in examples/deploy/pointctl.service"
        yield weak("user", "this is root; so perhaps is the server", remedy)
    else:
        yield ok("user", f"uid {os.geteuid()}")
