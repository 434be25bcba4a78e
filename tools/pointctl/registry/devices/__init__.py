"""Products, batches and devices: adding, importing, finding and counting them."""
