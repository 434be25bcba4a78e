raise ImportError("no module named 'socket'")
