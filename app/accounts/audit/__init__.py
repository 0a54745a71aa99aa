"""The audit log as pages read it."""
