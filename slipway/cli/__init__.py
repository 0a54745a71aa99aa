"""`slipway`, the command line for scripts and CI: its own program, which speaks to the platform over HTTP only."""

VERSION = "0.1.0"
