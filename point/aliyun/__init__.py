"""Alibaba Cloud IoT: registration, login, and the messages of devices."""
