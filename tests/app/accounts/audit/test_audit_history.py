"""Searching and narrowing the audit log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.accounts.actors import Actor
from app.accounts.audit import audit_history
from app.accounts.audit.audit_history import PAGE_SIZE, HistoryFilter, HistoryPage, history
from app.accounts.audit_log import record
from app.data.database import writing
from app.data.models.audit_record import AuditEntry
from app.refusals import InvalidRequest
from tests.conftest import Cast

pytestmark = pytest.mark.both_databases

DAY = datetime(2026, 11, 14, tzinfo=UTC)
WORDS = {"note.released": "Released"}


@pytest.fixture(autouse=True)
def entries(cast: Cast) -> None:
    """120 entries, one per hour; every tenth is Noor's."""
    with writing() as session:
        session.add_all(
            AuditEntry(
                at=DAY + timedelta(hours=number),
                actor="Noor" if number % 10 == 0 else "Mira",
                address="192.0.2.7",
                action="note.released" if number % 2 else "note.made",
                subject=f"École {number:03}",
                partner_id=cast.starlight.partner_id,
            )
            for number in range(120)
        )


def words(action: str) -> str:
    return WORDS.get(action, action)


def read(**wanted: object) -> HistoryPage:
    return history(HistoryFilter(action="note.", **wanted), words)  # type: ignore[arg-type]


def subjects(page: HistoryPage) -> list[int]:
    return [int(entry.subject.removeprefix("École ")) for entry in page.entries]


def everything(**wanted: object) -> list[int]:
    """All pages one after the other."""
    page = read(**wanted)
    found = subjects(page)
    while page.next_cursor:
        page = read(**wanted, after=page.next_cursor)
        found += subjects(page)
    return found


def test_a_subject_that_is_too_long_is_cut(cast: Cast) -> None:
    """Postgres refused it: an upload with a long name in a game with a long title could neither be cancelled nor swept,
    and no other upload was swept after it."""
    with writing() as session:
        record(session, Actor("Noor"), "note.long", f"{'t' * 256}, {'f' * 255}", partner_id=cast.starlight.partner_id)
    [entry] = read(oldest_first=False).entries[:1]
    assert entry.subject == f"{'t' * 256}, {'f' * 41}…"


def test_pages_of_both_orders_have_every_entry_once() -> None:
    assert everything() == list(range(119, -1, -1))
    assert everything(oldest_first=True) == list(range(120))
    assert len(read().entries) == PAGE_SIZE


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"text": "ecole 01"}, list(range(19, 9, -1))),
        ({"text": "released ÉCOLE 005"}, [5]),
        ({"text": "192.0.2.7", "oldest_first": True}, list(range(120))),
        ({"text": "noor"}, list(range(110, -1, -10))),
        ({"actor": "Noor", "text": "ecole 1"}, [110, 100]),
        ({"actor": "noor"}, []),
        ({"since": DAY + timedelta(hours=118)}, [119, 118]),
        ({"since": DAY, "until": DAY + timedelta(hours=2)}, [1, 0]),
        ({"text": "sorcery"}, []),
    ],
)
def test_filters_find_what_the_page_shows(wanted: dict[str, object], found: list[int]) -> None:
    assert everything(**wanted) == found


def test_a_search_looks_at_a_limited_number_of_entries_per_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_history, "MAX_SEARCHED", 50)
    first = read(text="École 007")
    assert (subjects(first), first.searched) == ([], 50), "the first page says that it did not look at all"
    assert first.next_cursor
    assert everything(text="École 007") == [7]
    assert everything(text="École 0") == list(range(99, -1, -1))
    assert read(text="École", since=DAY + timedelta(hours=100)).searched == 0


def test_an_unknown_cursor_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        read(after="x")
