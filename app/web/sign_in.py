"""Signing in and out."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import logout_user
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, PasswordField
from wtforms.validators import InputRequired, Length

from app.extensions import htmx, login
from app.partners import accounts
from app.web.entering import let_in
from app.web.people import here, local_address, signed_in
from app.web.tries import Tries, minutes

pages = Blueprint("sign_in", __name__)


_LONG = "This takes at most {:,} characters"


class SignInForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    email = EmailField("Email", [InputRequired("Enter your email address"), Length(max=254, message=_LONG.format(254))])
    password = PasswordField(
        "Password", [InputRequired("Enter your password"), Length(max=999, message=_LONG.format(999))]
    )
    next = HiddenField()


@pages.get("/sign-in")
def form() -> ResponseReturnValue:
    """The form; who is signed in already goes on."""
    if signed_in():
        return redirect(local_address(request.args.get("next"), url_for("games.index")))
    return render_template("sign_in.html", form=SignInForm(next=request.args.get("next", "")))


@pages.post("/sign-in")
def enter() -> ResponseReturnValue:
    """Check the two fields. Unknown address and wrong password get the same answer in the same time."""
    form = SignInForm()
    if not form.validate_on_submit():
        return render_template("sign_in.html", form=form, problem="Not signed in yet"), 422
    email, password = form.email.data or "", form.password.data or ""
    tries = Tries(("sign-in-account", email.strip().lower()), ("sign-in-address", request.remote_addr or ""))
    wait = tries.seconds_to_wait()
    if wait:
        form.form_errors.append(
            f"Wait {minutes(wait)}, then try again. Wrong tries count for this email and from this address."
        )
        page = render_template("sign_in.html", form=form, problem="Too many wrong tries")
        return Response(page, 429, {"Retry-After": str(wait)})
    member = accounts.sign_in(email, password)
    if member is None:
        tries.count_wrong()
        form.form_errors.append("Check both, then try again.")
        return render_template("sign_in.html", form=form, problem="Email or password is not right"), 422
    let_in(member)
    return redirect(local_address(form.next.data, url_for("games.index")), 303)


@pages.post("/sign-out")
def leave() -> ResponseReturnValue:
    """End the session."""
    logout_user()
    session.clear()
    return redirect(url_for("sign_in.form"), 303)


def _ask_to_sign_in() -> ResponseReturnValue:
    """What a signed-out request for a signed-in page gets."""
    if htmx.boosted or not (htmx or "text/event-stream" in request.accept_mimetypes.values()):
        target = url_for("sign_in.form", next=here()) if request.method == "GET" else url_for("sign_in.form")
        # A boosted page keeps its <head>; the sign-in page needs its own CSRF token, so it is loaded whole.
        return Response("", 200, {"HX-Redirect": target}) if htmx.boosted else redirect(target)
    return Response("Signed out. Reload the page to sign in.\n", 401, {"HX-Refresh": "true"}, mimetype="text/plain")


def init_app(app: Flask) -> None:
    """Register the pages and tell Flask-Login how members are found and asked for."""
    app.register_blueprint(pages)
    login.user_loader(accounts.member_of_session)
    login.unauthorized_handler(_ask_to_sign_in)
