"""Settings of the partner and of the user's own account, one module per page."""
