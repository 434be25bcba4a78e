"""What every vendor's cloud here needs: a client's rules, and parts of a sandbox.

client.py and errors.py are for clients; chaos.py, database.py, secrets.py and
serving.py for sandboxes.
"""
