raise ImportError("no module named 'ssl'")
