"""A sandbox of the device authorisation cloud."""
