"""Products, batches and devices: add, import, find and count them."""
