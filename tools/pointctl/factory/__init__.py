"""The factory line: boards enrolled, given their keys, read back and labelled."""
