"""A job: a folder with its plan, its journal, its labels, and a credential.

plan.json says what is to be made and holds no secret. The credential, which the source
asks for, is in the file `credential` (0600), in the keyring's entry of that name, or in
POINTCTL_FACTORY.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pointctl.boards import flash
from pointctl.errors import PointctlError, Refused
from pointctl.folder import private_file, private_folder
from pointctl.registry.storage import keystore

VARIABLE = "POINTCTL_FACTORY"  # the environment variable that may hold it


class SourceKind(StrEnum):
    """Where keys come from."""

    SERVER = "server"  # our server, by its API
    REGISTRY = "registry"  # our server's database, on this machine
    GIZWITS = "gizwits"
    LIST = "list"  # a file of keys that were fetched before


class SelfTest(StrEnum):
    """What a board has to reach by itself before it gets its label."""

    NONE = "none"
    CREDENTIALS = "credentials"  # it boots and receives its credentials
    BROKER = "broker"  # then it publishes a message


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LabelPlan(_Strict):
    """What a label shows, and where it is printed."""

    title: str = Field(default="", max_length=40)
    prefix: str = Field(
        default="", max_length=200
    )  # in front of the QR code's content: a URL
    width_mm: float = Field(default=40, ge=15, le=200)
    height_mm: float = Field(default=20, ge=10, le=200)
    dpi: int = Field(default=300, ge=100, le=1200)
    template: str | None = None  # a file, for printers with their own language
    font: str | None = None  # a TrueType file, for titles that are not Latin
    command: tuple[str, ...] = ()  # prints one label; with {file}, {unit}, {product}
    to: str | None = None  # a file or a device to append each label to


class Plan(_Strict):
    """What a job makes."""

    product: str = Field(min_length=1, max_length=64)
    source: SourceKind
    made_at: str
    board: str | None = None  # the kind of board; None: any
    count: int | None = Field(default=None, ge=1)  # how many units to make
    batch: str | None = None
    url: str | None = None
    ca: str | None = None
    keys: str | None = None
    pin: str | None = None  # of the customer, for gizwits
    repeats_are_free: bool = False  # for gizwits: true for its sandbox
    data: str | None = None
    used_before: int | None = None  # keys that the source had given before the job
    self_test: SelfTest = SelfTest.NONE
    self_test_s: int = Field(default=120, ge=5, le=3600)
    replace_keys: bool = False
    label: LabelPlan | None = None

    @property
    def key_file(self) -> str:
        """The file on a board that a key is written to."""
        return "auth.key" if self.source is SourceKind.GIZWITS else "claim.key"


@dataclass(frozen=True)
class Job:
    """The paths of one job."""

    folder: Path

    @property
    def plan_file(self) -> Path:
        return self.folder / "plan.json"

    @property
    def labels(self) -> Path:
        return self.folder / "labels"

    @property
    def credential(self) -> keystore.SecretEntry:
        return keystore.SecretEntry(self.folder / "credential")

    def make(self, plan: Plan) -> None:
        """Write the plan of a new job. Raises Refused if the job exists."""
        private_folder(self.folder)
        if self.plan_file.exists():
            raise Refused(
                f"{self.plan_file} exists, and a job has one plan; name another folder"
            )
        with private_file(self.plan_file) as file:
            file.write(plan.model_dump_json(indent=2, exclude_none=True) + "\n")

    def plan(self) -> Plan:
        """Read the plan. Raises PointctlError."""
        if not self.plan_file.is_file():
            raise PointctlError(
                f"{self.plan_file} is missing; make it with pointctl factory plan"
            )
        try:
            found = Plan.model_validate_json(self.plan_file.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = "/".join(map(str, first["loc"]))
            raise PointctlError(f"{self.plan_file}: {where}: {first['msg']}") from None
        if found.board is not None:
            flash.files(found.board)  # raises for an unknown kind of board
        return found

    def secret(self) -> str:
        """Read the station's credential. Raises PointctlError if there is none."""
        text = os.environ.get(VARIABLE)
        if text is None:
            found = self.credential.read()
            text = found.text if found else None
        if not text or not text.strip():
            raise PointctlError(
                f"no credential is stored: put it into {self.credential.path} (chmod "
                f"600), the keyring or {VARIABLE}; see pointctl factory credential "
                "--help"
            )
        return text.strip()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the job. Raises Refused if another station works on it."""
        private_folder(self.folder)
        with (self.folder / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused(
                    f"another station works on {self.folder}; stop it first, or wait"
                ) from None
            yield
