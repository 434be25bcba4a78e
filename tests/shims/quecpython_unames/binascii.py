raise ImportError("no module named 'binascii'")
