"""The registry on disk: tables, databases, encryption of secrets, keys outside it."""
