"""The module itself."""

def getDevImei() -> str | int:
    """The IMEI, or -1."""
