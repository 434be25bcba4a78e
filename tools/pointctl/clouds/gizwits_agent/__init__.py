"""Gizwits' clouds as devices see them: a sandbox, beside device authorisation's."""
