"""Why the cloud refuses a device: an HTTP status, and a code of the Open API's table.

The codes and statuses are our choice of that table; docs/gizwits.md says what is known.
A board takes any 4xx but 429 for a refusal, and shows the code.
"""

from typing import ClassVar

from pointctl.errors import PointctlError


class DeviceRefusal(PointctlError):
    """The cloud refuses what a device asks for."""

    exit_code = 3
    status: ClassVar[int]
    code: ClassVar[int]


class DeviceNotFound(DeviceRefusal):
    """No such device: get its auth_key first, or check its did and product key."""

    status, code = 404, 9014

    def __init__(self, detail: str = "device not found") -> None:
        super().__init__(detail)


class WrongSignature(DeviceRefusal):
    """A token or ETag is wrong: check the auth_key, and the product secret."""

    status, code = 400, 9044

    def __init__(self) -> None:
        super().__init__("the signature is wrong")


class InvalidForm(DeviceRefusal):
    """A body is not the form that it should be, or is under another product secret."""

    status, code = 400, 9015

    def __init__(self, what: str) -> None:
        super().__init__(f"form invalid: {what}")
