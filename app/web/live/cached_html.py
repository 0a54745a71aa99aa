"""The HTML of small parts by what they show. A page with hundreds of cells is rendered after each report, which changes
one of them: the others are taken from here."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable

from flask import Flask

from app.web.frame.static_files import bundle

MAX_CACHED = 8192  # of about 1 kB each: the cells of some dozen pages


def cached_html(app: Flask, template: str, **values: Hashable) -> str:
    """The template with these values, on which alone it depends. All callers of a template name them in one order."""
    render: Callable[..., str] = app.extensions["slipway_cached_html"]
    return render(template, tuple(values.items()), bundle.url("icons.svg"))  # which a new build of the files changes


def init_app(app: Flask) -> None:
    """Create the cache. One per process; thread-safe."""

    @functools.lru_cache(MAX_CACHED)
    def render(template: str, values: tuple[tuple[str, Hashable], ...], _icons: str) -> str:
        return app.jinja_env.get_template(template).render(dict(values)).strip()

    app.extensions["slipway_cached_html"] = render
