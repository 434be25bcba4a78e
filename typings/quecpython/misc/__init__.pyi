"""What has no place elsewhere."""

from . import Power as Power

class ADC:
    """The analogue inputs."""

    ADC0: int

    def open(self) -> int: ...
    def read(self, channel: int, /) -> int:
        """In mV; -1 if it cannot be read."""

    def close(self) -> int: ...
