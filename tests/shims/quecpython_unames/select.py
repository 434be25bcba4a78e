raise ImportError("no module named 'select'")
