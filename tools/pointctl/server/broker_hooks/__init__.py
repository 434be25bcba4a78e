"""The endpoints that MQTT brokers ask whether a device may connect."""
