"""What crosses the network, for client and sandbox.

The document contradicts itself about types (numbers as String, is_enabled as Integer),
and its sample id begins with a space. So reading is lenient, and writing is exactly as
in its samples. Members that are not named here are ignored.
"""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pointctl.clouds.gizwits.preauth.names import HEX_32, MAC_OR_IMEI, NAME

PIN = "d504fbc269cc8d2ccc8822d98310e218"  # the document's own samples
AUTH_CODE = "8318822d90c269cc8dd504fb2ccce218"
MAC = "test00101011"
JOB = "deb54a82c22aff842a016d6e43d6de4c"
_KEY = "bff12c2998274c92b36de18b019ca9ea"

PENDING, RUNNING, DONE = 0, 1, 2  # of a batch; only 2 is in the document

_MOST = 2**31 - 1


def _strip(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


Count = Annotated[int, Field(ge=0, le=_MOST)]
JobId = Annotated[str, BeforeValidator(_strip), Field(pattern=HEX_32)]


class _Wire(BaseModel):
    # The text of a validation error would quote keys and codes.
    model_config = ConfigDict(hide_input_in_errors=True)


class KeyRequest(_Wire):
    """Asks for the auth_key of one device."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"pin": PIN, "mac": MAC, "auth_code": AUTH_CODE}]
        }
    )

    pin: str = Field(pattern=NAME, description="the customer's id")
    mac: str = Field(pattern=MAC_OR_IMEI, description="MAC, or the IMEI of a module")
    auth_code: str = Field(pattern=NAME, repr=False, description="of a package")
    auth_key: str | None = Field(
        None,
        max_length=64,
        repr=False,
        description="OURS: the key that the device computed, to be compared",
    )


class AuthKey(_Wire):
    """The auth_key of one device: the same one for every request."""

    auth_key: str = Field(pattern="^[0-9A-Fa-f]{32}$", repr=False, examples=[_KEY])
    created_at: str = Field(max_length=64, examples=["2018-01-23T11:06:12.840298Z"])
    pin: str = Field(max_length=64, examples=[PIN])
    mac: str = Field(max_length=64, examples=[MAC])


class BatchMade(_Wire):
    """A batch was taken."""

    id: JobId = Field(examples=[JOB])


class BatchResult(_Wire):
    """How far a batch has come."""

    status: int = Field(ge=0, le=99, examples=[DONE], description="0, 1; 2 is done")
    failed: Count
    id: JobId = Field(examples=[JOB])
    success: Count
    auth_result: str | None = Field(
        None,
        max_length=2048,
        examples=[f"X.X.X/{JOB}.xlsx"],
        description="where the .xlsx is, without https://; empty until it is done",
    )

    @property
    def is_done(self) -> bool:
        """Whether the result can be fetched."""
        return self.status == DONE


class Package(_Wire):
    """A number of keys that was bought."""

    created_at: str = Field(max_length=64)
    updated_at: str = Field(max_length=64)
    pin: str = Field(max_length=64, examples=[PIN])
    capacity: Count = Field(description="keys in all")
    size: Count = Field(description="of which are used")
    auth_code: str = Field(max_length=64, repr=False, examples=[AUTH_CODE])
    is_enabled: bool


class Meta(_Wire):
    """Where a page is in its list."""

    total: Count
    limit: Count
    skip: Count
    next: str | None = None
    previous: str | None = None


class Packages(_Wire):
    """A page of packages."""

    meta: Meta
    objects: list[Package]


class ErrorBody(_Wire):
    """Why it was not done. The document has the codes, this shape is ours."""

    error_code: int | None = Field(None, description="one of the sixteen")
    error_message: str | None = None
    detail_message: str | None = None
