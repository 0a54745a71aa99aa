"""Checking an archive against the platform's rules, before it is sent or meanwhile."""
