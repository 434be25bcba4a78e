"""A sandbox of the cloud that devices register at."""
