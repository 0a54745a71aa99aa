"""The command palette: a search over what the member may open."""
