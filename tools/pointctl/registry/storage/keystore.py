"""Where keys live that must not be in the registry: a file, or the system's keyring."""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from pointctl.errors import PointctlError
from pointctl.folder import private_folder

_SERVICE = "pointctl"  # of the keyring


@dataclass(frozen=True)
class Found:
    """What an entry holds, and where that was, for messages."""

    text: str = field(repr=False)
    where: str


@dataclass(frozen=True)
class Entry:
    """A secret text of a data folder: the file `path`, or the keyring's of its name."""

    path: Path

    def read(self) -> Found | None:
        """The text; the file's, if there are both. None if there is neither.

        Raises PointctlError for a file that others may read, a keyring that is locked.
        """
        try:
            with self.path.open(encoding="ascii", errors="replace") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise PointctlError(
                        f"others may read {self.path}: chmod 600 {self.path}"
                    )
                return Found(file.read(), str(self.path))
        except FileNotFoundError:
            text = _read_keyring(self._user)
            return None if text is None else Found(text, "the keyring's entry")

    def create(self, text: str, *, in_keyring: bool = False) -> bool:
        """Make it; False if another process was faster, whose text stays.

        Raises PointctlError for a keyring that cannot be used.
        """
        if in_keyring:
            _write_keyring(self._user, text)
            return True
        name = self._write_beside(text)
        try:
            os.link(name, self.path)  # whole or not at all, and it replaces none
        except FileExistsError:
            return False
        finally:
            os.unlink(name)
        return True

    def replace(self, text: str) -> None:
        """Put another text in its place, all or nothing."""
        if self.path.exists():
            os.replace(self._write_beside(text), self.path)
        else:
            _write_keyring(self._user, text)

    @property
    def _user(self) -> str:
        """Its name in the keyring: the folder, and but for the master its own name."""
        folder = str(self.path.parent.resolve())
        name = self.path.name
        return folder if name == "claim-master" else f"{folder} {name}"

    def _write_beside(self, text: str) -> str:
        folder = self.path.parent
        private_folder(folder)
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{self.path.name}.")
        with os.fdopen(handle, "w") as file:  # 0600
            file.write(text)
            file.flush()
            os.fsync(handle)
        return name


def hex_keys(text: str) -> list[bytes]:
    """The keys in a text, 64 hex digits each; none if anything else is in it."""
    words = text.split()
    try:
        keys = [bytes.fromhex(word) for word in words]
    except ValueError:  # its text would quote them
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
        raise PointctlError(f"the keyring: {type(error).__name__}") from None
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
        raise PointctlError(f"the keyring: {type(error).__name__}") from None
