"""PointAccess: a board's credentials by IMEI, kept in flash, handed to MQTT."""

__version__ = "0.1.0"

from .access import PointAccess  # noqa: F401  the seed's import, document 003 §4.1
