"""Keys: the claim master and what is derived from it; rotation of the database key."""
