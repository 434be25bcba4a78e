"""What a board runs first: make room, nothing else. main.py follows by itself."""

import gc

gc.threshold(16 * 1024)  # collect early: TLS wants large blocks, fragments refuse them
