"""The commands that pages show: complete lines with the reader's own address, slug and file name."""

from __future__ import annotations

from flask import request

from app.config.settings import settings

EXAMPLE_SLUG = "paper-lanterns"
_KEY = '"Authorization: Bearer $SLIPWAY_KEY"'


def base_url() -> str:
    """Where this reader reaches the app: the configured address, else the one they came by."""
    return settings().base_url or request.host_url.rstrip("/")


def register_lines(base: str, developer: str) -> list[str]:
    """Registering a game."""
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
    """Sending a build of a registered game. `-T` sends the file as it is, with PUT."""
    return [
        f"curl -T {slug}.tar.gz \\",
        f"  {base}/api/partners/games/{slug}/upload \\",
        f"  -H {_KEY} \\",
        '  -H "Content-Type: application/gzip"',
    ]


def key_quote(line: str) -> tuple[str, str, str]:
    """A line as (before, the quoted key, after), for setting the key apart."""
    before, found, after = line.partition(_KEY)
    return before, found, after
