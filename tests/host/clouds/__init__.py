"""Tests of the vendors' clouds."""
