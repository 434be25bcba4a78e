"""Gizwits device authorisation: an auth_key for each device, for the factory."""
