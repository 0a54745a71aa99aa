"""Text of people on pages: characters that would change how the text around them is displayed are shown escaped.

Forms and APIs refuse such characters, but rows may be older than that rule, and names of files are stored as they are.
So every value that a template writes goes through `shown`, whichever page it is on. A value that must stay exact, such
as that of a hidden field, is written with the filter `e`.
"""

from __future__ import annotations

import re

from flask import Flask

from app.validation import HIDDEN_IN_LINES

_HIDDEN = re.compile(f"[{HIDDEN_IN_LINES}\u2028\u2029]")


def shown(value: object) -> object:
    """A string with these characters as Python writes them, such as `\\u202e`. Other values, HTML among them, are
    returned as they are."""
    if type(value) is not str or value.isprintable():
        return value
    return _HIDDEN.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), value)


def init_app(app: Flask) -> None:
    """Let all templates write their values with `shown`. Before the first of them is compiled."""
    app.jinja_env.finalize = shown
