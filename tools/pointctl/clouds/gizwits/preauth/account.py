"""Who asks the cloud: what the commands are told of it, and where its secrets are."""

import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from pointctl.errors import PointctlError, Refused
from pointctl.folder import DataFolder
from pointctl.registry.storage.keystore import SecretEntry
from pointctl.support.secret import read_file


@dataclass(frozen=True)
class Secret:
    """One that a customer of Gizwits is given."""

    called: str
    variable: str
    entry: str | None = None  # its file in the data folder, its name in the keyring

    def read(self, data: Path, file: Path | None) -> str:
        """From the file, else the environment, else the data folder or the keyring.

        Raises PointctlError where it is in none of them, or others may read it.
        """
        if file is not None:
            return read_file(file)
        if found := os.environ.get(self.variable):
            return found
        if self.entry is None:
            raise PointctlError(f"no {self.called}: name its file, or {self.variable}")
        kept = _entry(data, self.entry).read()
        if kept is None:
            raise PointctlError(
                f"no {self.called}: run pointctl gizwits login, or set {self.variable}"
            )
        return kept.text.rstrip("\r\n")

    def ask(self) -> str:
        """What a person types, unseen. Raises PointctlError without a terminal."""
        if not sys.stdin.isatty():
            raise PointctlError(f"no terminal to ask for the {self.called} at")
        return getpass.getpass(f"{self.called}: ")

    def keep(self, data: Path, text: str, *, in_keyring: bool) -> None:
        """Keep it for the commands to come.

        Raises PointctlError for a keyring that cannot be used, Refused where a file
        would be read before it.
        """
        assert self.entry is not None
        entry = _entry(data, self.entry)
        if in_keyring and entry.path.exists():
            raise Refused(f"{entry.path} would be read before it: remove it first")
        if not entry.create(text + "\n", in_keyring=in_keyring):
            entry.replace(text + "\n")


def _entry(data: Path, name: str) -> SecretEntry:
    return SecretEntry(DataFolder(data).path / name)


AUTHORIZATION = Secret(
    "Authorization", "POINTCTL_GIZWITS_AUTHORIZATION", "gizwits-authorization"
)
AUTH_CODE = Secret("auth_code", "POINTCTL_GIZWITS_AUTH_CODE", "gizwits-auth-code")
PRODUCT_SECRET = Secret("product secret", "POINTCTL_GIZWITS_PRODUCT_SECRET")
