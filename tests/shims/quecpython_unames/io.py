raise ImportError("no module named 'io'")
