"""Backup and restore: a folder with the rows of all tables, all objects, and the secret that signs sessions."""
