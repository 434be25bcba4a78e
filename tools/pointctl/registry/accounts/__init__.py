"""Who uses the registry: operators, their console sessions, tokens of programs."""
