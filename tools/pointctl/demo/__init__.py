"""The demo: a whole provisioning system on one machine, nothing in it simulated."""
