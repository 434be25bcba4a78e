"""Storage for keys that must not be in the registry: a file or the system's keyring."""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from pointctl.errors import PointctlError
from pointctl.folder import private_folder

_SERVICE = "pointctl"  # the service's name in the keyring


@dataclass(frozen=True)
class SecretText:
    """The text of an entry, and where it was found, for messages."""

    text: str = field(repr=False)
    where: str


@dataclass(frozen=True)
class SecretEntry:
    """A secret text of a data folder: in the file `path`, or in the keyring."""

    path: Path

    def read(self) -> SecretText | None:
        """Read the text from the file, else from the keyring; None if it is in neither.

        Raises PointctlError for a file that others may read, or a locked keyring.
        """
        try:
            with self.path.open(encoding="ascii", errors="replace") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise PointctlError(
                        f"others may read {self.path}: chmod 600 {self.path}"
                    )
                return SecretText(file.read(), str(self.path))
        except FileNotFoundError:
            text = _read_keyring(self._user)
            return None if text is None else SecretText(text, "the keyring's entry")

    def create(self, text: str, *, in_keyring: bool = False) -> bool:
        """Store the text; return False, and change nothing, if the file exists.

        Raises PointctlError for a keyring that cannot be used.
        """
        if in_keyring:
            _write_keyring(self._user, text)
            return True
        name = self._write_temporary(text)
        try:
            os.link(name, self.path)  # atomic, and never replaces a file
        except FileExistsError:
            return False
        finally:
            os.unlink(name)
        return True

    def replace(self, text: str) -> None:
        """Replace the text atomically."""
        if self.path.exists():
            os.replace(self._write_temporary(text), self.path)
        else:
            _write_keyring(self._user, text)

    @property
    def _user(self) -> str:
        """The entry's name in the keyring: the folder's path and the file's name.

        The claim master has the folder's path only.
        """
        folder = str(self.path.parent.resolve())
        name = self.path.name
        return folder if name == "claim-master" else f"{folder} {name}"

    def _write_temporary(self, text: str) -> str:
        folder = self.path.parent
        private_folder(folder)
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{self.path.name}.")
        with os.fdopen(handle, "w") as file:  # 0600
            file.write(text)
            file.flush()
            os.fsync(handle)
        return name


def parse_hex_keys(text: str) -> list[bytes]:
    """Parse keys of 64 hex digits each; return none if the text has anything else."""
    words = text.split()
    try:
        keys = [bytes.fromhex(word) for word in words]
    except ValueError:  # not passed on: its text would quote the keys
        return []
    return keys if all(len(word) == 64 for word in words) else []


def _read_keyring(user: str) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError, NoKeyringError
    except ImportError:
        return None
    try:
        found: str | None = keyring.get_password(_SERVICE, user)
    except NoKeyringError:
        return None
    except KeyringError as error:
        raise PointctlError(
            f"the keyring cannot be read: {type(error).__name__}; unlock it"
        ) from None
    return found


def _write_keyring(user: str, text: str) -> None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise PointctlError(
            "the package keyring is missing: pip install 'pointaccess[keyring]'"
        ) from None
    try:
        keyring.set_password(_SERVICE, user, text.strip())
    except KeyringError as error:
        raise PointctlError(
            f"the keyring cannot be written: {type(error).__name__}; unlock it, or do "
            "without --keyring"
        ) from None
