"""The registry: which products and devices there are, and what each was given."""
