"""Slipway: a partner portal and build distributor. `create_app()` wires everything together."""

from __future__ import annotations

import gc

# The modules that are loaded here stay for good. Without this, looking for garbage takes a fifth of every command's
# start, and a third of the command as a whole: the interpreter looks three more times when it ends.
gc.disable()

from collections.abc import Callable
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Map, PathConverter, UnicodeConverter

from app import web
from app.accounts.api_keys import key_uses, recognised_keys
from app.accounts.sign_ins import MAX_AGE
from app.api import api_rate_limits, dashboard_calls, health, kept_answers, openapi, public_images, v1
from app.api.metrics import request_counts, scrape
from app.api.partners import (
    build_changes,
    build_download,
    builds,
    games,
    keys,
    raw_upload,
    releases,
    uploads,
    uploads_without_game,
)
from app.api.servers import agent_calls
from app.config.settings import MIB, Settings, load_settings
from app.data.extensions import csrf, db, htmx, limiter, login, migrate
from app.data.schema_version import MIGRATIONS
from app.images import image_processes
from app.limits import rate_storage, thread_budgets
from app.process import logs, shutdown
from app.runtime import commands, error_handlers
from app.runtime.jobs import Jobs
from app.runtime.web_server import trusted_hosts
from app.runtime.web_server.body_guard import BodyGuard, GuardedRequest
from app.storage.availability import storage_status
from app.storage.bucket import Bucket
from app.storage.direct_uploads import DirectUploads
from app.topics import queue
from app.topics.event_hub import hub
from app.web.frame.script_caller import script_caller

gc.freeze()
gc.enable()


def create_app(settings: Settings | None = None) -> Flask:
    """The app, bound to its database, bucket and queue. Raises SettingsError for a setting that cannot be used."""
    settings = settings or load_settings()
    app = _App(__name__, static_folder="static", instance_path=str(settings.instance))
    _configure(app, settings)
    logs.init_app(app)
    request_counts.init_app(app)
    trusted_hosts.init_app(app, settings)  # first: the other handlers look at the request

    db.init_app(app)
    migrate.init_app(app, db, directory=str(MIGRATIONS))
    login.init_app(app)
    # Registered already, it adds no hooks, which would look for limits of views in every request. The pipeline counts.
    app.extensions["limiter"] = {limiter}
    limiter.init_app(app)
    csrf.init_app(app)
    htmx.init_app(app)
    recognised_keys.init_app(app)
    key_uses.init_app(app)
    kept_answers.init_app(app)
    hub.init_app(app, settings.redis_url)
    storage_status.clear()
    app.extensions["slipway_bucket"] = Bucket(settings.storage) if settings.storage else None
    app.extensions["slipway_direct_uploads"] = DirectUploads(settings.storage)
    queue.provide(app, Jobs(app, settings))
    _set_budgets(settings)
    shutdown.when_stopping(hub.stop)
    shutdown.when_stopping(image_processes.derivation_processes.stop)
    shutdown.when_cut(image_processes.inspection_processes.stop)

    for blueprint in (
        games.bp,
        raw_upload.bp,
        uploads.bp,
        uploads_without_game.bp,
        build_changes.bp,
        builds.bp,
        build_download.bp,
        releases.bp,
        keys.bp,
        agent_calls.bp,
        openapi.bp,
        health.bp,
        scrape.bp,
        public_images.bp,
    ):
        app.register_blueprint(blueprint)
        csrf.exempt(blueprint)  # browsers do not send bearer tokens on their own
    v1.init_app(app)
    web.init_app(app)
    dashboard_calls.init_app(app, script_caller)
    error_handlers.init_app(app)
    app.after_request(api_rate_limits.add_headers)
    commands.init_app(app)
    return app


class _App(Flask):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view or handler here is async. Looking for that took a twentieth of a short call."""
        return func


# How long a request waits for the database before it is answered with 503: for a free connection, for a server that
# does not accept one, and for one that stopped answering (milliseconds).
_POOL_SECONDS = 10
_POSTGRES_WAITS = {"connect_timeout": 5, "tcp_user_timeout": 15_000}


def _configure(app: Flask, settings: Settings) -> None:
    on_sqlite = settings.database_url.startswith("sqlite")
    waits = {"connect_args": {"timeout": 15} if on_sqlite else _POSTGRES_WAITS, "pool_timeout": _POOL_SECONDS}
    app.config.update(
        SLIPWAY=settings,
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        # The log shows a statement that failed, but not its values: those are e-mail addresses and hashes.
        # The connection that was used last comes first: it has most statements prepared, and its process is warm.
        SQLALCHEMY_ENGINE_OPTIONS={
            "pool_size": 16,
            "max_overflow": 32,
            "pool_use_lifo": True,
            "hide_parameters": True,
            **waits,
        },
        # A small limit for all routes. The upload route reads its body itself, with its own limit.
        MAX_CONTENT_LENGTH=MIB,
        SESSION_COOKIE_NAME=settings.cookie_name,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.https,
        REMEMBER_COOKIE_NAME=f"{settings.cookie_name}_remember",
        # Only responses that change the session set the cookie. Otherwise one that was under way while somebody signed
        # in again would bring back the session that had ended.
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=MAX_AGE,
        # A token must outlive an upload that takes all day. It ends with the session.
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_HEADERS=["X-CSRFToken"],
        # Over https it would also require a Referer, but our own Referrer-Policy tells browsers to send none.
        WTF_CSRF_SSL_STRICT=False,
        RATELIMIT_STORAGE_URI=f"{rate_storage.SCHEME}{settings.redis_url}"
        if settings.redis_url
        else rate_storage.IN_MEMORY,
        RATELIMIT_STRATEGY="fixed-window",
        RATELIMIT_HEADERS_ENABLED=False,
    )
    app.url_map.converters.update(default=_Segment, id=_Id, path=_Segments, int=_Number)
    app.request_class = GuardedRequest
    app.wsgi_app = BodyGuard(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented way
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]  # Flask's documented way


class _Segment(UnicodeConverter):
    """One segment of a path. NUL never matches: no name has it, and Postgres refuses it in a query."""

    def __init__(self, map: Map) -> None:  # noqa: A002  # werkzeug's own name for it
        super().__init__(map)
        self.regex = r"[^/\x00]+"


class _Id(_Segment):
    """An id. The names of calls beside it are none, so that they do not take the methods of its call."""

    def __init__(self, map: Map) -> None:  # noqa: A002  # werkzeug's own name for it
        super().__init__(map)
        self.regex = rf"(?!(?:batch|presign|upload-complete)$){self.regex}"


class _Segments(PathConverter):
    """The rest of a path, with its slashes."""

    def __init__(self, map: Map) -> None:  # noqa: A002  # werkzeug's own name for it
        super().__init__(map)
        self.regex = r"[^\x00]+"


class _Number(IntegerConverter):
    """A number in a path, at most as large as a database column holds. No row has a larger one."""

    def __init__(self, map: Map) -> None:  # noqa: A002  # werkzeug's own name for it
        super().__init__(map, max=2**31 - 1)
        self.regex = r"[0-9]{1,10}"


def _set_budgets(settings: Settings) -> None:
    thread_budgets.streams.limit = settings.streams
    thread_budgets.waiting_polls.limit = settings.waiting_polls
    thread_budgets.raw_uploads.limit = settings.raw_uploads
