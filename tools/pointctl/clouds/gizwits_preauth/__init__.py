"""Gizwits' device authorisation: auth_keys for the factory, one a device."""
