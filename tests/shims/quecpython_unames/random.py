raise ImportError("no module named 'random'")
