"""What a user is told when a command does not do what was asked.

The text is one line for a person, says what to do next, and never holds a secret: it is
printed and logged as it is.
"""

from typing import ClassVar


class PointctlError(Exception):
    """It failed."""

    exit_code = 1


class Refused(PointctlError):
    """It would do harm, so nothing was done."""

    exit_code = 3


class PartlyFailed(PointctlError):
    """Some of a batch was done, and the rest was not."""

    exit_code = 4


class CloudError(PointctlError):
    """A cloud, or our own server, did not do it, or nobody knows whether it did.

    Its attributes are what a program needs: `code` and `status` where the cloud gave
    them, `todo` for a person, `nothing_was_done` where that is certain, `is_transient`
    where it may work later, `retry_after_s` where the cloud said when.
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
    """There was no connection, so nothing was sent."""

    nothing_was_done = is_transient = True


class Untrusted(CloudError):
    """The server's certificate does not hold, so nothing was sent."""

    nothing_was_done = True


class NoReply(CloudError):
    """It was sent, and no whole reply came: it may have been done."""

    is_transient = True
    todo = "it may have been done all the same: look what is left, then send it again"


class BadReply(CloudError):
    """The reply is not what it has to be. What it was is not told."""

    todo = "check that the URL is the right one"

    def __init__(self, text: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(text)
