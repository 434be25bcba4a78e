"""What every web server here needs: TLS, listening, headers, errors, a docs page."""
