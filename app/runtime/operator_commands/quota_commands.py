"""`flask quota`: how many bytes partners use and may use."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.accounts.actors import COMMAND_LINE
from app.accounts.partner_list import directory
from app.accounts.partners import partner_named, set_build_quota
from app.config.settings import settings
from app.images.image_quota import balances
from app.runtime.operator_commands.output import as_json_option, print_result, print_rows
from app.runtime.plain_command import PlainCommand
from slipway.client.sizes import format_size, parse_size

quota_group = AppGroup("quota", help="Quotas of partners.")

_COLUMNS = {
    "partner": "PARTNER",
    "archiveBytes": "ARCHIVES, BYTES",
    "packBytes": "PACKS, BYTES",
    "buildBytes": "BUILDS IN ALL",
    "buildQuotaBytes": "QUOTA",
    "imageBytes": "IMAGES, BYTES",
    "imageQuotaBytes": "QUOTA",
}


class _Quota(click.ParamType[int | None]):
    name = "size"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """Bytes, or None for no limit."""
        if value.lower() == "none":
            return None
        try:
            return parse_size(value)
        except ValueError:
            self.fail(f"{value!r} is no size. Write bytes, a size such as 250G (250 GiB), or none.", param, ctx)


@quota_group.command("show", cls=PlainCommand)
@click.argument("partner", required=False)
@as_json_option
def quota_show(partner: str | None, as_json: bool) -> None:
    """Show what PARTNER, or every partner, uses and may use. The quota for builds is for archives and packs together.
    Images include reservations."""
    chosen = partner_named(partner).id if partner else None
    images, image_limit = balances(), settings().asset_quota_bytes
    rows = [
        {
            "id": entry.id,
            "partner": entry.name,
            "archiveBytes": entry.archive_bytes,
            "packBytes": entry.pack_bytes,
            "buildBytes": entry.builds_bytes,
            "buildQuotaBytes": entry.quota_bytes,
            "imageBytes": images.get(entry.id, 0),
            "imageQuotaBytes": image_limit,
        }
        for entry in directory()
        if chosen in {None, entry.id}
    ]
    print_rows(rows, _COLUMNS, as_json)


@quota_group.command("set", cls=PlainCommand)
@click.argument("partner")
@click.argument("size", type=_Quota())
@as_json_option
def quota_set(partner: str, size: int | None, as_json: bool) -> None:
    """Set how many bytes of builds PARTNER may store: SIZE, such as 250G (250 GiB), or none for no limit. Stored
    builds stay."""
    found = partner_named(partner)
    set_build_quota(found, size, COMMAND_LINE)
    words = f"{found.name} has no quota." if size is None else f"{found.name} can store {_words(size)} of builds."
    print_result(words, {"id": found.id, "partner": found.name, "buildQuotaBytes": size}, as_json)


def _words(size: int) -> str:
    return f"{format_size(size)} ({size:,} bytes)"
