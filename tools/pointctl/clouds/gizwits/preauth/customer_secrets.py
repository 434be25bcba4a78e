"""The secrets that Gizwits gives a customer, and where they are read from."""

import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from pointctl.errors import PointctlError, Refused
from pointctl.folder import DataFolder
from pointctl.registry.storage.keystore import SecretEntry
from pointctl.support.secret import read_secret_file


@dataclass(frozen=True)
class CustomerSecret:
    """One of the secrets: its name, its environment variable, and where it is kept."""

    name: str
    variable: str
    entry: str | None = None  # its file in the data folder, its name in the keyring

    def read(self, data: Path, file: Path | None) -> str:
        """Read it from the file, else the environment, else where login kept it.

        Raises PointctlError where it is in none of them, or others may read the file.
        """
        if file is not None:
            return read_secret_file(file)
        if found := os.environ.get(self.variable):
            return found
        if self.entry is None:
            raise PointctlError(
                f"no {self.name}: name its file, or set {self.variable}"
            )
        kept = _entry(data, self.entry).read()
        if kept is None:
            raise PointctlError(
                f"no {self.name}: run pointctl gizwits login, or set {self.variable}"
            )
        return kept.text.rstrip("\r\n")

    def ask(self) -> str:
        """Ask a person for it, hidden. Raises PointctlError without a terminal."""
        if not sys.stdin.isatty():
            raise PointctlError(f"no terminal to ask for the {self.name} at")
        return getpass.getpass(f"{self.name}: ")

    def keep(self, data: Path, text: str, *, in_keyring: bool) -> None:
        """Keep it for later commands.

        Raises PointctlError for a keyring that cannot be used, Refused where a file
        would be read in its place.
        """
        assert self.entry is not None
        entry = _entry(data, self.entry)
        if in_keyring and entry.path.exists():
            raise Refused(f"{entry.path} would be read in its place: remove it first")
        if not entry.create(text + "\n", in_keyring=in_keyring):
            entry.replace(text + "\n")


def _entry(data: Path, name: str) -> SecretEntry:
    return SecretEntry(DataFolder(data).path / name)


AUTHORIZATION = CustomerSecret(
    "Authorization", "POINTCTL_GIZWITS_AUTHORIZATION", "gizwits-authorization"
)
AUTH_CODE = CustomerSecret(
    "auth_code", "POINTCTL_GIZWITS_AUTH_CODE", "gizwits-auth-code"
)
PRODUCT_SECRET = CustomerSecret("product secret", "POINTCTL_GIZWITS_PRODUCT_SECRET")
