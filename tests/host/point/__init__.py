"""Tests of what the host checks of point/."""
