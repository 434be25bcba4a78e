"""Vendors' clouds: a folder each, with wire types, a client and a sandbox."""
