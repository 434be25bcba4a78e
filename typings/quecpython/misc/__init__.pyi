"""What has no place elsewhere."""

from . import Power as Power
