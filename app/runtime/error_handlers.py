"""The form of error responses: JSON under /api, a page everywhere else."""

from __future__ import annotations

import logging

from flask import Flask, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from app.api import error_responses as api
from app.data.outages import outage_in
from app.process.logs import public_path, request_id
from app.process.metrics import count_refusal
from app.refusals import Refusal
from app.web.frame import error_pages as pages

log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Register the error handlers."""

    app.after_request(api.describe_redirect)

    @app.errorhandler(Refusal)
    def refused(refusal: Refusal) -> ResponseReturnValue:
        count_refusal(refusal.code)
        return (
            api.refusal_response(refusal)
            if api.is_api_request()
            else pages.answer_refusal(refusal, api.status_of(refusal))
        )

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        if error.code is None or error.code >= 400:  # the others are redirects
            count_refusal(api.http_error_code(error.code or 500))
        return api.http_error_response(error) if api.is_api_request() else pages.answer_http_error(error)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> ResponseReturnValue:
        if outage := outage_in(error):
            return api.refusal_response(outage) if api.is_api_request() else pages.answer_outage(outage, request_id())
        count_refusal(api.http_error_code(500))
        log.exception("unexpected failure in %s %s", request.method, public_path(request.path))
        return (
            api.unexpected_error_response(request_id())
            if api.is_api_request()
            else pages.answer_unexpected(request_id())
        )
