"""What game servers and build machines install. Nothing here imports Flask or SQLAlchemy, or anything of `app`."""
