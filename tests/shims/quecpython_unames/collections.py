raise ImportError("no module named 'collections'")
