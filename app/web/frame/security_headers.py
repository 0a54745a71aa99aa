"""Security headers of all responses."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Request, Response, current_app, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin

from app.config.settings import Settings


def content_security_policy(storage: str | None = None, images: str | None = None) -> str:
    """The policy allows only what it names. No `unsafe-*`: no inline script or style, no eval.

    `storage`: the address that pages send uploads to. `images`: the address of the CDN for images, if there is one."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "font-src 'self'",
            f"img-src 'self'{_origin(images)}",
            f"connect-src 'self'{_origin(storage)}",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def _origin(address: str | None) -> str:
    parts = urlsplit(address or "")
    return f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""


# On plain http browsers ignore both and complain in the console; a LAN without https must work too.
_OVER_HTTPS = (("Strict-Transport-Security", "max-age=31536000"), ("Cross-Origin-Opener-Policy", "same-origin"))


def set_security_headers(response: Response) -> Response:
    """Set the headers of a response, except those that the view has set."""
    headers = response.headers
    present = {name.lower() for name in headers.keys()}  # noqa: SIM118  # iterating over headers gives pairs
    wanted: tuple[tuple[str, str], ...] = current_app.config["SLIPWAY_SECURITY_HEADERS"]
    if request.is_secure:
        wanted += _OVER_HTTPS
    for name, value in wanted:
        if name.lower() not in present:
            headers.add(name, value)
    if response.mimetype == "text/html":
        # Pages show a partner's data: neither a proxy nor the browser's disk may cache them.
        headers.setdefault("Cache-Control", "private, no-store")
        response.vary.update(("HX-Request", "Cookie"))
    return response


class PageSessionInterface(SecureCookieSessionInterface):
    """Saves sessions for pages only. Flask-Login reads the session in every request, which would add `Vary: Cookie` and
    a renewed cookie to built files, streams and API responses, and so keep browsers from caching the built files."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if self.get_cookie_name(app) in request.cookies:
            return super().open_session(app, request)
        return self.session_class()  # without a cookie there is nothing to verify, and no need for a signer

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if request.path.startswith(("/static/", "/api/")) or response.mimetype == "text/event-stream":
            return
        super().save_session(app, session, response)


def init_app(app: Flask) -> None:
    """Register the headers and the session interface."""
    known: Settings = app.config["SLIPWAY"]
    policy = content_security_policy(known.storage.public_endpoint if known.storage else None, known.asset_base_url)
    app.config["SLIPWAY_SECURITY_HEADERS"] = (
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Frame-Options", "DENY"),
    )
    app.after_request(set_security_headers)
    app.session_interface = PageSessionInterface()
