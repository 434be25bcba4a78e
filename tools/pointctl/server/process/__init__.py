"""Running the server: its processes, health checks and metrics."""
