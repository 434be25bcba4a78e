"""The checks of `pointctl doctor`: they only read, and report what is weak or wrong."""
