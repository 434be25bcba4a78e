"""What point/ costs: sizes, heap, time and bytes on the wire, beside the seed's own."""
