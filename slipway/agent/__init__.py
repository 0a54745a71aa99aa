"""The program on a game server that keeps released builds cached and runs sessions on them.

It uses HTTP to reach the platform and the storage. It shares only `slipway.archive` with the web application and never
imports `app`.
"""

VERSION = "0.1.0"
