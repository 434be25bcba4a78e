"""Tests of the server and its console."""
