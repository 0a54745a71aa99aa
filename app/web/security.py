"""What every answer tells the browser not to do. One place, so that a page cannot forget it."""

from __future__ import annotations

from flask import Flask, Response, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin

from app.config import settings


def content_security_policy() -> str:
    """Nothing is allowed but what is named. No `unsafe-*`: no inline script or style, no eval (THREATS "Web")."""
    storage = settings().storage  # browsers send parts and images straight to it
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "font-src 'self'",
            "img-src 'self'",
            f"connect-src 'self' {storage.public_endpoint}" if storage else "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def protect(response: Response) -> Response:
    """Headers for any answer; what a view has set itself stays."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", content_security_policy())
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("X-Frame-Options", "DENY")
    if request.is_secure:
        # On plain http browsers ignore both and complain in the console; a LAN without https must work too.
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if response.mimetype == "text/html":
        # Pages hold a partner's own things: nobody keeps them, neither a proxy nor the browser's disk.
        headers.setdefault("Cache-Control", "private, no-store")
        response.vary.update(("HX-Request", "Cookie"))
    return response


class PageSessions(SecureCookieSessionInterface):
    """Sessions are for pages. Flask-Login looks into the session of every request, which would put `Vary: Cookie` and a
    renewed cookie on built files, streams and the API too, and so keep browsers from caching the first."""

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if request.path.startswith(("/static/", "/api/")) or response.mimetype == "text/event-stream":
            return
        super().save_session(app, session, response)


def init_app(app: Flask) -> None:
    """Bind both to the app."""
    app.after_request(protect)
    app.session_interface = PageSessions()
