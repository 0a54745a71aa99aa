"""The web server is told whose request a call was, so that it counts the next ones as theirs."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.limits.counted_requests import CountedRequest, Credential, InThreads, answering
from tests.conftest import Cast, bearer


@pytest.mark.parametrize("path", ["/api/partners/games", "/api/servers/self/plan"])
def test_a_key_that_is_nobodys_is_told(client: FlaskClient, path: str) -> None:
    request = CountedRequest(InThreads())
    with answering(request):
        assert client.get(path, headers=bearer("pp_made_up")).status_code == 401
    assert request.recognised == {Credential.KEY: None}


def test_a_key_is_told_with_its_partner(client: FlaskClient, cast: Cast) -> None:
    request = CountedRequest(InThreads())
    with answering(request):
        assert client.get("/api/partners/games", headers=bearer(cast.starlight.key)).status_code == 200
    requester = request.recognised[Credential.KEY]
    assert requester is not None
    assert requester.group == f"partner {cast.starlight.partner_id}"


def test_a_session_whose_sign_in_has_ended_is_told(client: FlaskClient) -> None:
    with client.session_transaction() as session:
        session["_user_id"] = "a sign-in that has ended"
    request = CountedRequest(InThreads())
    with answering(request):
        client.get("/games")
    assert request.recognised == {Credential.SESSION: None}
