"""Gizwits' cloud as devices see it: registration and MQTT login."""
