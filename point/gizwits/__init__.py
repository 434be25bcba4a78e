"""Gizwits' cloud: registration, login, and its forms and frames."""
