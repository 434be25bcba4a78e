"""Gizwits' clouds: preauth (keys for devices), devices (where devices register)."""
