raise ImportError("no module named 'struct'")
