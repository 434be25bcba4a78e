"""What a board runs first: it tunes the garbage collector. main.py follows."""

import gc

gc.threshold(16 * 1024)  # collect early: TLS wants large blocks, fragments refuse them
