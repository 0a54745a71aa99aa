"""The rules for a game's tar.gz, and how to read one safely.

The web application uses it to inspect uploads while they stream, the agent to unpack builds. It needs only the standard
library and isal: no Flask, no storage, no database.
"""
