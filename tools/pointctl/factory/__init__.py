"""The factory line: enrol boards, burn and verify their keys, print labels."""
