"""Members and keys of all partners, for the command line."""
