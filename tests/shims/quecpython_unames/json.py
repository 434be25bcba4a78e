raise ImportError("no module named 'json'")
