"""What every vendor's cloud here needs: a client's rules, and parts of a sandbox."""
