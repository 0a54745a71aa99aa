"""Shell commands on pages: complete lines with the app's address, the game's slug and its file name."""

from __future__ import annotations

import shlex

from flask import request

from app.config.settings import settings

EXAMPLE_SLUG = "paper-lanterns"
_KEY = '"Authorization: Bearer $SLIPWAY_KEY"'


def base_url() -> str:
    """The configured address of the app, else the address of this request."""
    return settings().base_url or request.host_url.rstrip("/")


def register_lines(base: str, developer: str) -> list[str]:
    """The command that registers a game."""
    name = developer.replace("\\", "\\\\").replace('"', '\\"').replace("'", "'\\''")
    return [
        f"curl {base}/api/partners/games \\",
        f"  -H {_KEY} \\",
        '  -H "Content-Type: application/json" \\',
        f'  -d \'{{"slug": "{EXAMPLE_SLUG}", "title": "Paper Lanterns",',
        f'       "developer": "{name}", "description": "…",',
        f'       "tags": ["Visual Novel"], "launcher": "{EXAMPLE_SLUG}.sh",',
        '       "renpyDir": "PaperLanterns-1698234567"}\'',
    ]


def upload_lines(base: str, slug: str) -> list[str]:
    """The command that sends a build. `-T` sends the file unchanged, with PUT."""
    return [
        f"curl -T {slug}.tar.gz \\",
        f"  {base}/api/partners/games/{slug}/upload \\",
        f"  -H {_KEY} \\",
        '  -H "Content-Type: application/gzip"',
    ]


def archive_name(slug: str, number: int) -> str:
    """The file name of a downloaded build."""
    return f"{slug}-{number}.tar.gz"


def unpack_lines(archive: str, top_directory: str, launcher: str) -> list[str]:
    """The commands that unpack a downloaded build and start it, for bash on Linux."""
    return [f"tar xzf {shlex.quote(archive)}", f"cd {shlex.quote(top_directory)} && {shlex.quote(f'./{launcher}')}"]


def key_quote(line: str) -> tuple[str, str, str]:
    """Split a line at the quoted header with the key: (before, header, after). The header is "" if there is none."""
    before, found, after = line.partition(_KEY)
    return before, found, after
