"""Gizwits' clouds as their devices see them: a sandbox beside device authorisation's."""
