raise ImportError("no module named 'hashlib'")
