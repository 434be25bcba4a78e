"""Issuing credentials: claims, lifecycle, and where new credentials come from."""
