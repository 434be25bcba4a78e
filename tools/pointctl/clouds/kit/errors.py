"""Errors that every cloud's client raises beside the cloud's own.

The others, for a connection or a reply that failed, are in pointctl.errors.
"""

from pointctl.errors import CloudError


class Unavailable(CloudError):
    """HTTP 429 or 5xx without a code of the cloud's: a server on the way is not well.

    `advice` is what else a person has to look at.
    """

    is_transient = True

    def __init__(
        self, status: int, retry_after_s: float | None = None, advice: str = ""
    ) -> None:
        self.status, self.retry_after_s = status, retry_after_s
        when = "later" if retry_after_s is None else f"in {retry_after_s:.0f} s"
        todo = f"try again {when}"
        super().__init__(
            f"the cloud answered HTTP {status}", f"{todo}; {advice}" if advice else todo
        )
