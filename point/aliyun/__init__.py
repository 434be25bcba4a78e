"""Alibaba Cloud IoT: registration, login, and what a device says and is told."""
