"""The reason why a peer cannot be measured. The bench prints it and goes on without the peer."""

from __future__ import annotations


class PeerMissing(Exception):
    """A program that is measured beside Slipway cannot run here. The message says why."""
