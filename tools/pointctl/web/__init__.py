"""What all our web servers share: TLS, serving, headers, errors, the docs page."""
