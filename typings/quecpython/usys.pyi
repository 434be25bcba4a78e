"""What newer firmware calls sys."""

path: list[str]
