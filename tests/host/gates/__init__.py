"""Tests of the gates, set-up and benches."""
