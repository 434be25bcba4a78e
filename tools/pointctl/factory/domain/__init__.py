"""What a factory works with: jobs, units, and the journal."""
