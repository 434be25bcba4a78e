"""Tests of boards at a cable."""
