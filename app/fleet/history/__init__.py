"""What the fleet did: bytes per hour and day, and how long releases took to reach every server."""
