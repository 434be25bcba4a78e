"""Boards: what goes onto one, and where it comes from."""
