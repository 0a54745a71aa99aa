"""`python -m app.runtime.supervisor.prepare <base url>`: migrations and demo data, in a process of its own.

Of its own, so that the supervisor holds no database connection and stays free to be stopped meanwhile.
"""

from __future__ import annotations

import sys
from pathlib import Path

from flask_migrate import upgrade

from app import create_app
from app.config.settings import SettingsError, load_settings
from app.runtime import demo_data

MIGRATIONS = Path(__file__).parents[3] / "migrations"


def main() -> int:
    """Exit code 2 for a setting that cannot be used, with the reason on standard error."""
    (base_url,) = sys.argv[1:]
    try:
        settings = load_settings()
        app = create_app(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with app.app_context():
        upgrade(directory=str(MIGRATIONS))
    demo_data.prepare(app, base_url=base_url, storage=settings.storage_settings, instance=settings.instance)
    return 0


if __name__ == "__main__":
    sys.exit(main())
