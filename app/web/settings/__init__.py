"""Settings of a partner and of one's own account, one module per page."""
