"""Accounts of the registry: operators, their console sessions, API tokens."""
