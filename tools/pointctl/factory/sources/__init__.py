"""Where keys for units come from."""
