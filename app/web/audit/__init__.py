"""The pages of the audit log: of the platform, of a partner, of a game."""
