raise ImportError("no module named 'cryptolib'")
