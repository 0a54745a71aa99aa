"""What these commands print: tables for people, JSON for scripts, and a question before something is removed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

Row = Mapping[str, Any]

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
partner_option = click.option("--partner", help="The name or id of a partner; without it, all partners.")


def print_rows(rows: Sequence[Row], columns: Mapping[str, str], as_json: bool) -> None:
    """Print rows as an array of JSON objects, or as a table. `columns` maps the keys that a table shows to their
    headings."""
    if as_json:
        click.echo(json.dumps(list(rows), default=_json_value, indent=2, ensure_ascii=False))
        return
    lines = [list(columns.values()), *([_cell(row[key]) for key in columns] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_result(words: str, result: Row, as_json: bool) -> None:
    """Print what was done: a sentence, or a JSON object."""
    click.echo(json.dumps(result, default=_json_value, ensure_ascii=False) if as_json else words)


def confirm(question: str, yes: bool) -> None:
    """Ask on standard error, unless `yes`. Raises ClickException if the answer is no or there is none."""
    if yes:
        return
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:  # there is nobody to answer
        raise click.ClickException("Nothing was changed. Give --yes to do it without a question.") from None
    if not agreed:
        raise click.ClickException("Nothing was changed.")


def counted(amount: int, noun: str) -> str:
    """`1 game`, `2 games`."""
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _json_value(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    raise TypeError(f"{type(value)} has no form in JSON")
