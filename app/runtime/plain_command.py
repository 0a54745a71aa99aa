"""How `flask` commands show refusals."""

from __future__ import annotations

import click
from sqlalchemy.exc import OperationalError, ProgrammingError

from app.config.settings import SettingsError
from app.refusals import Refusal


class PlainCommand(click.Command):
    """A command that prints a refusal as one line on standard error and exits with 1, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            raise click.ClickException(refusal.message) from None
        except SettingsError as error:
            raise click.ClickException(str(error)) from None
        except (OperationalError, ProgrammingError) as error:
            why = str(error.orig).strip().partition("\n")[0]
            raise click.ClickException(
                f"The database could not be used: {why}. Is DATABASE_URL right, and was it migrated (flask db upgrade)?"
            ) from None
