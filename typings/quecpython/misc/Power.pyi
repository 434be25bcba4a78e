"""On and off."""

def powerRestart() -> None:
    """Restart the module; it takes a moment."""
