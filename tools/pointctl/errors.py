"""The errors of commands, with their exit codes.

Their text is for a person: it says what was wrong and what to do next. It never holds a
secret, because it is printed and logged unchanged.
"""

from typing import ClassVar


class PointctlError(Exception):
    """The command failed."""

    exit_code = 1


class Refused(PointctlError):
    """The command would do harm, so it did nothing."""

    exit_code = 3


class PartlyFailed(PointctlError):
    """A part of the work was done, and the rest was not."""

    exit_code = 4


class CloudError(PointctlError):
    """A cloud or our own server failed, or its answer is not known.

    Attributes for programs: `code` and `status` if the cloud gave them,
    `nothing_was_done` if that is certain, `is_transient` if it may work later, and
    `retry_after_s` if the cloud said when. `todo` is for a person.
    """

    code: ClassVar[int | None] = None
    status: int | None = None
    todo: str = ""
    nothing_was_done = False
    is_transient = False
    retry_after_s: float | None = None

    def __init__(self, text: str, todo: str = "") -> None:
        self.todo = todo or self.todo
        super().__init__(f"{text}; {self.todo}" if self.todo else text)


class Unreachable(CloudError):
    """The connection failed, so nothing was sent."""

    nothing_was_done = is_transient = True


class Untrusted(CloudError):
    """The server's certificate could not be verified, so nothing was sent."""

    nothing_was_done = True


class NoReply(CloudError):
    """The request was sent, but no whole reply came: it may have been carried out."""

    is_transient = True
    todo = "it may have been carried out: check what is left, then send it again"


class BadReply(CloudError):
    """The reply is malformed. Its content is not shown."""

    todo = "check that the URL is the right one"

    def __init__(self, text: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(text)
