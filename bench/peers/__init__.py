"""Other software that is measured beside Slipway. It is installed for the bench only."""
