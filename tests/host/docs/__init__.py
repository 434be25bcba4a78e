"""Tests of pages and examples."""
