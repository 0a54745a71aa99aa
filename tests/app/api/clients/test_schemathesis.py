"""Random requests made of the OpenAPI document: each call takes what the document allows, refuses what it forbids, and
answers as it says."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.app.api.json_calls import UNLIMITED, fill_partner
from tests.app.api.test_strangers import OWNED
from tests.conftest import bearer
from tests.game_archives import game_archive

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.settings(**UNLIMITED),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]
schemathesis.serializer.alias("application/gzip", "application/octet-stream")
# Besides schemathesis's own: a body over the limit, an ETag that does not match, and a range outside the file.
REFUSED = ["400", "401", "403", "404", "405", "409", "412", "413", "415", "416", "429"]
ACCEPTED = ["2xx", "3xx", "404", "409", "413"]  # not there, taken, over a limit that is a setting
CONFIG = {
    "checks": {
        "negative_data_rejection": {"expected-statuses": REFUSED},
        "positive_data_acceptance": {"expected-statuses": ACCEPTED},
    }
}
# Calls with rules between fields, which no schema says: a key comes from presign, and a card lies in a deck.
WITH_RULES_BETWEEN_FIELDS = {"v1_assets_confirm_asset", "v1_components_save", "v1_components_save_batch"}
_numbers = itertools.count(1)
Case = schemathesis.Case[Any]


class Caller:
    """A partner with one of everything, and a server. A call that deletes gets a new one each time."""

    def __init__(self, *, keeps: bool) -> None:
        self.keeps = keeps
        self.tried = 0
        self._rows: Any = None

    def call(self, case: Case) -> None:
        if self._rows is None or not self.keeps:
            self.marker = f"studio{next(_numbers)}"
            self._rows = fill_partner(self.marker)
        # Asked before anything is replaced. Afterwards schemathesis checks the case again, with its path encoded,
        # and finds a text too long that is allowed.
        allowed = {location for location in ParameterLocation if _is_allowed(case, location)}
        if ParameterLocation.HEADER not in allowed and not {"Idempotency-Key", "X-Checksum-Sha256"} & {*case.headers}:
            return  # all that is wrong is a header of another name, and HTTP lets clients send those
        if ParameterLocation.PATH in allowed:
            self._use_real_objects(case)
        _use_what_only_answers_give(case, allowed)
        self.tried += 1
        kind = "srv" if case.path.startswith("/api/servers/") else "pp"
        free = case.operation.definition.raw["operationId"] in WITH_RULES_BETWEEN_FIELDS
        excluded: list[Any] = [positive_data_acceptance] if free else []
        if case.media_type == "application/gzip":
            # Only one of its headers can be wrong, and that is left out above (tests/app/api/test_upload_contract.py).
            excluded.append(negative_data_rejection)
        if allowed == {*ParameterLocation}:
            # The generator counts some cases as wrong in which it could spoil nothing ("positive test case").
            excluded.append(negative_data_rejection)
        case.call_and_validate(headers=bearer(f"{kind}_{self.marker}"), excluded_checks=excluded)

    def _use_real_objects(self, case: Case) -> None:
        """Where the document allows any id, one that exists."""
        real = OWNED | {"number": ("builds", "number")}
        for name in real.keys() & case.path_parameters.keys():
            table, column = real[name]
            case.path_parameters[name] = self._rows[table][column]


def _use_what_only_answers_give(case: Case, allowed: set[ParameterLocation]) -> None:
    """What no schema can say: cursors come from the answer before, a key of a request belongs to one request, no object
    has a random ETag, archives are more than random bytes, and a slug stays as it is."""
    if ParameterLocation.QUERY in allowed:
        case.query.pop("cursor", None)
        case.query.pop("wait", None)  # it would wait
    if ParameterLocation.HEADER in allowed:
        for name in ("If-Match", "X-Checksum-Sha256"):
            case.headers.pop(name, None)
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if ParameterLocation.BODY in allowed:
        if case.media_type == "application/gzip":
            case.body = game_archive()
        elif case.method == "PATCH" and isinstance(case.body, dict):
            case.body.pop("slug", None)


def _is_allowed(case: Case, location: ParameterLocation) -> bool:
    """Whether the document allows what the case has there."""
    component = case.meta.components.get(location) if case.meta else None
    return component is None or component.mode is not GenerationMode.NEGATIVE


@pytest.mark.parametrize("examples", [3, pytest.param(30, marks=pytest.mark.soak)], ids="{} examples".format)
def test_every_call_is_as_the_document_says(app: Flask, subtests: pytest.Subtests, examples: int) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app, config=schemathesis.Config.from_dict(CONFIG))
    chosen = settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    config = HypothesisTestConfig(project=schema.config, modes=list(HypothesisTestMode), settings=chosen)
    tried = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        with subtests.test(operation=operation.label):
            caller = Caller(keeps=operation.method != "delete")

            create_test(operation=operation, test_func=caller.call, config=config)()
            tried += caller.tried
    assert tried > 100 * examples
