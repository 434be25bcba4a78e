raise ImportError("no module named 'errno'")
