"""What can go wrong with the cloud: its own sixteen errors, and those of the network.

The sixteen are the table of the document, §2.2.6: name, HTTP status, code and text as
it has them, its misspelling too. No text here quotes what was sent or received. The
others are of pointctl.errors and clouds/kit, and have the same names here.
"""

from typing import ClassVar

from pointctl.clouds.kit.errors import Unavailable as Unavailable
from pointctl.errors import BadReply as BadReply
from pointctl.errors import CloudError as CloudError
from pointctl.errors import NoReply as NoReply
from pointctl.errors import Unreachable as Unreachable
from pointctl.errors import Untrusted as Untrusted


class PreauthRefusal(CloudError):
    """One of the sixteen; `name`, `status`, `code` and `text` are the document's."""

    exit_code = 3
    nothing_was_done = True
    name: ClassVar[str]
    text: ClassVar[str]
    by_code: ClassVar[dict[int, type["PreauthRefusal"]]] = {}

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        text = f"{self.name} ({self.code}): {self.text}"
        super().__init__(f"{text}, {detail}" if detail else text)

    def __init_subclass__(
        cls, *, name: str, status: int, code: int, text: str, todo: str
    ) -> None:
        cls.name, cls.status, cls.code = name, status, code
        cls.text, cls.todo = text, todo
        PreauthRefusal.by_code[code] = cls


class DataInvalid(
    PreauthRefusal,
    name="DATA_INVALID",
    status=400,
    code=1,
    text="data invalid",
    todo="check pin, MAC or IMEI, and the numbers of a page",
):
    """A member is missing or is not what it should be."""


class AuthFailed(
    PreauthRefusal,
    name="AUTH_FAILED",
    status=403,
    code=2,
    text="Authorization invalid",
    todo="check the Authorization that Gizwits issued, it is sent as it is",
):
    """The Authorization is missing, unknown or revoked."""


class InvalidAuthCode(
    PreauthRefusal,
    name="INVALID_AUTH_CODE",
    status=400,
    code=3,
    text="Invalid auth_code",
    todo="check that the auth_code belongs to this pin",
):
    """The pin has packages, but none of this auth_code."""


class PackageCapacityNotEnough(
    PreauthRefusal,
    name="PACKAGE_CAPACITY_NOT_ENOUGH",
    status=400,
    code=4,
    text="Package capacity not enough",
    todo="buy more keys, or give fewer devices at once; see pointctl gizwits packages",
):
    """Fewer keys are left than are wanted."""


class GetAuthKeyInProgress(
    PreauthRefusal,
    name="GET_AUTH_KEY_IN_PROGRESS",
    status=400,
    code=5,
    text="Get auth_key in progress",
    todo="wait for the batch that has this device, and ask again",
):
    """The device is in a batch that has not come to it yet."""

    is_transient = True


class GagentExist(
    PreauthRefusal,
    name="GAGENT_EXIST",
    status=400,
    code=6,
    text="GAgent with this product_key and mac exist",
    todo="ask with the auth_code that the device's key was first got with",
):
    """The device has a key already, from another auth_code."""


class InvalidAuthKey(
    PreauthRefusal,
    name="INVALID_AUTH_KEY",
    status=400,
    code=7,
    text="Invalid auth_key",
    todo="check the algorithm and the product secret on both sides",
):
    """The key that the device computed is not the cloud's."""


class SystemFailure(
    PreauthRefusal,
    name="SYSTEM_ERROR",
    status=500,
    code=8,
    text="Uncaught exception",
    todo="try again later; it may have been done all the same",
):
    """The cloud failed, nobody knows how far it had come."""

    exit_code = 1
    nothing_was_done = False
    is_transient = True


class PackageNotFound(
    PreauthRefusal,
    name="PACKAGE_NOT_FOUND",
    status=404,
    code=9,
    text="Package not found",
    todo="check the pin, and that a package was bought for it",
):
    """The pin has no package at all."""


class AuthCodeDisabled(
    PreauthRefusal,
    name="AUTH_CODE_DISABLED",
    status=400,
    code=10,
    text="Package disabled",
    todo="have the package enabled, or take another auth_code",
):
    """The package was disabled."""


class RolesInvalid(
    PreauthRefusal,
    name="ROLES_INVALID",
    status=403,
    code=11,
    text="Roles invalid",
    todo="take an Authorization that may do this for this pin",
):
    """The Authorization is good, but not for this."""


class ModeInvalid(
    PreauthRefusal,
    name="MODE_INVALID",
    status=403,
    code=12,
    text="Mode invalid",
    todo="check whether the package is for keys of the cloud or of devices",
):
    """The package's way of making keys is not that of the request, or is off."""


class PackageExpired(
    PreauthRefusal,
    name="PACKAGE_EXPIRED",
    status=400,
    code=13,
    text="Package expired",
    todo="have the package renewed, or take another auth_code",
):
    """The package has ended, and the device had no key from it."""


class DecyptAuthKeyError(
    PreauthRefusal,
    name="DECYPT_AUTH_KEY_ERROR",
    status=400,
    code=14,
    text="Decypt Auth Key Error",
    todo="tell the cloud's operator: the key that was issued cannot be had again",
):
    """The device has a key, and the cloud cannot produce it any more."""


class FileInvalid(
    PreauthRefusal,
    name="FILE_INVALID",
    status=400,
    code=15,
    text="Mac Address File Format Error",
    todo="send UTF-8 text with one MAC or IMEI a line",
):
    """The file is neither text nor a workbook, or a line is not a MAC or an IMEI."""


class PackageTypeInvalid(
    PreauthRefusal,
    name="PACKAGE_TYPE_INVALID",
    status=400,
    code=16,
    text="Package type error, not support this method",
    todo="use a batch for a package of batches, single calls for one of single keys",
):
    """The package is not for this call."""
