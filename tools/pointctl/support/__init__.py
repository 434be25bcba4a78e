"""For support engineers: which bytes were signed, and what a broker says to it."""
