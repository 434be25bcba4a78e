"""Boards on serial ports: find them, deploy to them, and provision them."""
