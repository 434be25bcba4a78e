"""The endpoint for boards: POST /v1/access."""
