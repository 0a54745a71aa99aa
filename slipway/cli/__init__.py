"""`slipway`, the command line for scripts and CI. It uses only the platform's HTTP API."""

VERSION = "0.1.0"
