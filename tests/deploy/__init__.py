"""The files in deploy/, linted and run for real."""
