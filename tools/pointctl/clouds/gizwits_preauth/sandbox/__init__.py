"""The same API on one's own machine, over the registry's database."""
