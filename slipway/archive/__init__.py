"""What a game's tar.gz may hold, and reading it safely.

Shared by the web application (which inspects an upload while it streams by) and by the agent (which unpacks it).
Standard library and isal only: nothing here knows of Flask, of storage or of a database.
"""
