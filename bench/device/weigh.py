"""What importing the modules in BENCH_MODULES leaves in the heap."""

import gc
import os

names = os.getenv("BENCH_MODULES").split()
gc.collect()
before = gc.mem_alloc()
for name in names:
    __import__(name)
gc.collect()
print("published", gc.mem_alloc() - before)
