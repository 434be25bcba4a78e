"""What a user is told when a command does not do what was asked.

The text is one line for a person, says what to do next, and never holds a secret: it is
printed and logged as it is.
"""


class PointctlError(Exception):
    """It failed."""

    exit_code = 1


class Refused(PointctlError):
    """It would do harm, so nothing was done."""

    exit_code = 3


class PartlyFailed(PointctlError):
    """Some of a batch was done, and the rest was not."""

    exit_code = 4
