"""People and programs that use the registry: operators, console sessions, API tokens."""
