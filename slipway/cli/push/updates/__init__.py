"""Sending a directory as an update of a build that the platform has."""
