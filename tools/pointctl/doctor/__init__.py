"""pointctl doctor: what is weak or wrong in a deployment, found by looking only."""
