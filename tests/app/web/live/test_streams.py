"""The places of live pages are shared out: nobody's pages keep those of others from going live."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from app.accounts.partners import create_member
from app.data.database import writing
from app.data.models.base import now
from app.data.models.partner import SignIn
from app.limits import thread_budgets
from app.web.live import streams
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.conftest import CAST, PASSWORD, Cast

pytestmark = ONE_DATABASE

STREAM, POLL = "/catalog/live", "/catalog/parts"
OPERATORS_STREAM = "/operator/storage/live"


@pytest.fixture
def opened() -> Iterator[Callable[[Visitor, str], TestResponse]]:
    with ExitStack() as pages:

        def open_page(visitor: Visitor, path: str) -> TestResponse:
            answer = visitor.get(path, headers={"Accept": "text/event-stream"}, buffered=False)
            pages.callback(answer.close)
            return answer

        yield open_page


Open = Callable[[Visitor, str], TestResponse]


def test_a_member_beyond_their_share_polls_and_everybody_else_is_live(
    cast: Cast, signed_in: Callable[[str], Visitor], opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_STREAMS_OF_MEMBER", 2)
    # Two browsers of one member.
    flooding = [signed_in(cast.starlight.viewer) for _ in range(2)]
    assert [opened(browser, STREAM).status_code for browser in flooding] == [200, 200]
    refused = opened(flooding[0], STREAM)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "3")
    assert "Your account uses 2 of the 1000 places for live pages, the maximum for one account." in refused.text
    assert flooding[0].get(POLL, headers=HTMX).status_code == 200
    for email in (cast.starlight.owner, cast.moonbase.viewer):
        assert opened(signed_in(email), STREAM).status_code == 200


def test_a_partner_has_half_of_the_places(
    cast: Cast, signed_in: Callable[[str], Visitor], opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_budgets.streams, "limit", 4)
    members = [signed_in(email) for email in (cast.starlight.owner, cast.starlight.developer, cast.starlight.viewer)]
    answers = [opened(member, STREAM) for member in members]
    assert [answer.status_code for answer in answers] == [200, 200, 503]
    assert "Your partner uses 2 of the 4 places for live pages, the maximum for one partner." in answers[2].text
    assert opened(signed_in(cast.moonbase.viewer), STREAM).status_code == 200


def test_operators_share_places_like_a_partner(
    cast: Cast, signed_in: Callable[[str], Visitor], opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_budgets.streams, "limit", 2)
    create_member(None, "second@slipway.example", "Second", "operator", PASSWORD, CAST)
    first, second = signed_in(cast.operator), signed_in("second@slipway.example")
    assert opened(first, OPERATORS_STREAM).status_code == 200
    refused = opened(second, OPERATORS_STREAM)
    assert refused.status_code == 503
    assert "The group of operators uses 1 of the 2 places for live pages" in refused.text
    assert opened(signed_in(cast.starlight.viewer), STREAM).status_code == 200


def test_a_page_goes_live_in_the_request_that_records_when_its_reader_was_seen(
    cast: Cast, signed_in: Callable[[str], Visitor], opened: Open
) -> None:
    """As when a page connects again after a pause. Recording is a transaction, which ends what the request had read."""
    for email, paths in (
        (cast.starlight.viewer, (STREAM, "/games", "/servers")),
        (cast.operator, (OPERATORS_STREAM, "/operator/servers", "/operator/storage")),
    ):
        reader = signed_in(email)
        for path in paths:
            with writing() as session:
                session.execute(update(SignIn).values(last_seen_at=now() - timedelta(minutes=6)))
            assert opened(reader, path).status_code == 200, path
