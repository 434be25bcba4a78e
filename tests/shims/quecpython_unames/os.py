raise ImportError("no module named 'os'")
