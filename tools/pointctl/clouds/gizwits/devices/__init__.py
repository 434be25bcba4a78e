"""Gizwits' cloud as devices see it: registration and MQTT login."""

# There is no client.py: the clients are boards, which run point/.
CLIENTS_ARE_BOARDS = True
