"""The program on a game server that keeps released builds cached and runs sessions on them.

It speaks HTTP to the platform and the storage, shares only `archive` with the web application, and never imports `app`.
"""

VERSION = "0.1.0"
