"""The domain of the factory: jobs, units, their rules, and the journal."""
