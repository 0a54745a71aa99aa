"""Responses with an address that anybody can use are stored by no cache."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.openapi import describe
from tests.app.api.json_calls import UNLIMITED, fill_partner, json_calls

SIGNED = re.compile(r"X-Amz-Signature|pp_[A-Za-z0-9_-]{30}|srv_[A-Za-z0-9_-]{30}")


@pytest.mark.settings(**UNLIMITED)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_response_with_a_secret_is_no_store(app: Flask, client: FlaskClient, subtests: pytest.Subtests) -> None:
    """Read from the app's map: a new call is tried without being named here. Also when it is repeated."""
    document = describe(app)
    bodies = {
        content["schema"]["$ref"].rpartition("/")[2]: content["example"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        if "$ref" in content["schema"]
    }
    del bodies["UploadRequest"]["base"]  # these games have no build 1, from which an update could be made
    secrets = 0
    for number, found in enumerate(json_calls(app, fill_partner("first"), "first")):
        marker = f"studio{number}"
        call = json_calls(app, fill_partner(marker), marker)[number] if found.call.security else found
        json = bodies[call.call.body.__name__] if call.call.body else None
        headers = dict(call.headers) | {"Accept": "application/json", "Idempotency-Key": "once"}
        for _ in range(2):
            with subtests.test(call=str(call)):
                answer = client.open(call.path, method=call.method, headers=headers, json=json)
                if SIGNED.search(answer.text):
                    secrets += 1
                    assert answer.headers["Cache-Control"] == "no-store", answer.text
    assert secrets >= 6, "the plan, presign and the original are among them"
