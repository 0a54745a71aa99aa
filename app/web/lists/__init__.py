"""Lists: their addresses, the links of their filters, and their pages."""
