"""The provisioning server: boards ask it for their credentials."""
