"""The commands: one file for each group; the work is done in the other packages."""
