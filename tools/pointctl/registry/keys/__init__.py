"""The claim master and the claim keys derived from it; rotation of database keys."""
