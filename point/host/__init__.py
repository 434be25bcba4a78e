"""What only CPython and servers need. It is not put on boards."""
