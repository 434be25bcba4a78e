raise ImportError("no module named 'time'")
