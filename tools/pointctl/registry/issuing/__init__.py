"""Issuing credentials: claims, the credentials' life, and where credentials come from."""
