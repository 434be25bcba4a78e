raise ImportError("no module named 're'")
