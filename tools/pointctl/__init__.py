"""pointctl: the host side of PointAccess, one command and the rooms behind it."""
