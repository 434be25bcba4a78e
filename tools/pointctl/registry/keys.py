"""The claim master, and the claim keys that boards are given at the factory.

One master for each data folder, 32 random bytes. Every board's key is derived from it
(point.seal.claim_key), so the registry stores no key at all. It lives in the file
claim-master, which nobody else may read, or in the system's keyring; never in the
registry, an argument or a log. Whoever loses it has to give every board a new key.
"""

import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field

from point import seal
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder, private_folder

KEEP_IT = "keep a copy in a safe place, every board's claim key comes from it"

_SERVICE = "pointctl"  # of the keyring; the user name is the data folder's path


def create_master(folder: DataFolder, *, in_keyring: bool = False) -> bool:
    """Make the claim master; False if there is one already, which stays as it is.

    Raises PointctlError for one that cannot be used, or a keyring that cannot.
    """
    if _read(folder) is not None:
        return False
    text = secrets.token_hex(32)
    if in_keyring:
        _write_keyring(folder, text)
        return True
    private_folder(folder.path)
    handle, name = tempfile.mkstemp(dir=folder.path, prefix=".claim-master.")  # 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(handle)
        os.link(name, folder.claim_master)  # whole or not at all, and it replaces none
    except FileExistsError:
        return False  # another process was faster
    finally:
        os.unlink(name)
    return True


@dataclass(frozen=True)
class ClaimKeys:
    """Derives the claim keys of boards from one master."""

    master: bytes = field(repr=False)

    def derive(self, product_key: str, imei: str) -> bytes:
        """The claim key of one board, 32 bytes."""
        key: bytes = seal.claim_key(self.master, product_key, imei)
        return key


def open_keys(folder: DataFolder) -> ClaimKeys:
    """The keys of a data folder. Raises PointctlError where it has no master."""
    master = _read(folder)
    if master is None:
        raise PointctlError("there is no claim master; run pointctl keys init")
    return ClaimKeys(master)


def _read(folder: DataFolder) -> bytes | None:
    path = folder.claim_master
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise PointctlError(f"others may read {path}: chmod 600 {path}")
            text, where = file.read(), str(path)
    except FileNotFoundError:
        found = _read_keyring(folder)
        if found is None:
            return None
        text, where = found, "the keyring's entry"
    master = b""
    with suppress(ValueError):  # its text would quote the master
        master = bytes.fromhex(text)
    if len(master) != 32:
        raise PointctlError(f"{where} is no claim master: 64 hex digits")
    return master


def _read_keyring(folder: DataFolder) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError, NoKeyringError
    except ImportError:
        return None
    try:
        found: str | None = keyring.get_password(_SERVICE, _user(folder))
    except NoKeyringError:
        return None
    except KeyringError as error:
        raise PointctlError(f"the keyring: {type(error).__name__}") from None
    return found


def _write_keyring(folder: DataFolder, text: str) -> None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise PointctlError(
            "the package keyring is missing: pip install 'pointaccess[keyring]'"
        ) from None
    try:
        keyring.set_password(_SERVICE, _user(folder), text)
    except KeyringError as error:
        raise PointctlError(f"the keyring: {type(error).__name__}") from None


def _user(folder: DataFolder) -> str:
    return str(folder.path.resolve())
