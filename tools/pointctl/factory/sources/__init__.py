"""The sources of keys for units: our server, its registry, Gizwits, a file."""
