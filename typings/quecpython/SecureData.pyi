"""A bare area of flash beside the file systems; burning firmware leaves it alone."""

def Store(index: int, databuf: bytes, len: int, /) -> int:
    """0, or -1; ValueError for a slot that is not 1 to 16."""

def Read(index: int, databuf: bytearray, len: int, /) -> int:
    """How many bytes there are, -1 for wrong arguments, -2 for an empty slot."""
