"""Signing in and out."""

from __future__ import annotations

import threading

from flask import Blueprint, Flask, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, PasswordField, SelectField
from wtforms.validators import InputRequired, Length

from app.accounts.password_rules import MAX_PASSWORD
from app.accounts.passwords import accounts_for
from app.data.extensions import htmx, login
from app.data.models.partner import Member
from app.process.metrics import count_refusal
from app.refusals import RateLimited, Unavailable
from app.web.frame.browser_sign_in import session_renewed, sign_in_browser, sign_out_browser
from app.web.frame.current_user import current_address, load_user, local_address, signed_in_member
from app.web.frame.forms import PASSWORD_TOO_LONG, select_choices
from app.web.frame.typed_fields import seal, typed_fields, unseal

pages = Blueprint("sign_in", __name__)

# At most 4 threads render the form at a time: a hundred at once would keep all other requests from the interpreter.
# Waiting threads hold no database connection.
_rendering = threading.BoundedSemaphore(4)


class SignInForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    email = EmailField(
        "Email",
        [InputRequired("Enter your email address"), Length(max=254, message="An address has at most 254 characters")],
    )
    password = PasswordField(
        "Password", [InputRequired("Enter your password"), Length(max=MAX_PASSWORD, message=PASSWORD_TOO_LONG)]
    )
    # Shown when one address and password belong to several accounts.
    account = SelectField("Account", choices=[], validate_choice=False)
    next = HiddenField()
    typed = HiddenField()  # sealed fields of the form that was sent without a sign-in


@pages.get("/sign-in")
def form() -> ResponseReturnValue:
    """The form; for the script, the content of a dialog. Visitors that are already signed in are redirected."""
    member = signed_in_member()
    if member and _in_dialog():
        return _session_renewed(member)
    if member:
        return redirect(local_address(request.args.get("next"), url_for("games.index")))
    return _render(SignInForm(next=request.args.get("next", "")))


@pages.post("/sign-in")
def enter() -> ResponseReturnValue:
    """Sign in. An unknown address and a wrong password get the same response after the same time."""
    form = SignInForm()
    if unseal(form.typed.data or "") is None:
        form.typed.data = None  # it is not ours, and is not repeated
    if not form.validate_on_submit():
        return _form_again(form, "Not signed in yet")
    try:
        found = accounts_for(form.email.data or "", form.password.data or "", request.remote_addr)
    except RateLimited as refusal:
        count_refusal(refusal.code)
        return _form_again(form, "Too many wrong passwords", refusal.message, 429, refusal.retry_after)
    except Unavailable as refusal:
        count_refusal(refusal.code)
        advice = f"Your email is kept in the form. Wait {refusal.retry_after} seconds, then enter your password again."
        return _form_again(form, "Too many people are signing in at this moment", advice, 503, refusal.retry_after)
    if not found:
        count_refusal("wrong_password")
        return _form_again(form, "Email or password is wrong", "Check both, then try again.")
    chosen = found if len(found) == 1 else [member for member in found if member.id == form.account.data]
    if not chosen:
        form.account.choices = select_choices({member.id: _account(member) for member in found})
        advice = "You have several accounts with this password. Choose one and enter the password again."
        return _form_again(form, "Not signed in yet", advice)
    sign_in_browser(chosen[0])
    if _in_dialog():
        return _session_renewed(chosen[0])
    if typed := unseal(form.typed.data or ""):
        return render_template("accounts/send_again.html", typed=typed)
    return redirect(local_address(form.next.data, url_for("games.index")), 303)


@pages.post("/sign-out")
def leave() -> ResponseReturnValue:
    """End the sign-in."""
    sign_out_browser()
    return redirect(url_for("sign_in.form"), 303)


def _form_again(
    form: SignInForm, problem: str, advice: str = "", status: int = 422, retry_after: int | None = None
) -> ResponseReturnValue:
    """The form with an error. Its input is kept, except for the password."""
    if advice:
        form.form_errors.append(advice)
    headers = {"Retry-After": str(retry_after)} if retry_after else {}
    if _in_dialog():
        headers["HX-Retarget"] = "#sign-in-again"
    with _rendering:
        return Response(_render(form, problem=problem), status, headers)


def _in_dialog() -> bool:
    """Whether the script shows the form over a page, whose session has ended (js/frame/sign-in-again.js)."""
    return bool(htmx and not htmx.boosted)


def _render(form: SignInForm, **context: str) -> str:
    if not _in_dialog():
        return render_template("accounts/sign_in.html", form=form, **context)
    for field in form:  # the page behind the dialog may have the same ids
        field.id = field.label.field_id = f"again-{field.id}"
    return render_template("accounts/sign_in_dialog.html", form=form, **context)


def _session_renewed(member: Member) -> Response:
    """For the page behind the dialog."""
    return Response("", 204, session_renewed(member))


def _account(member: Member) -> str:
    return f"{member.partner.name} ({member.role})" if member.partner else "Operator"


def _ask_to_sign_in() -> ResponseReturnValue:
    """The response when a page needs a signed-in member: a redirect to the form, or 401 for fragments and streams. A
    form that was sent keeps what was typed: the script asks to sign in over its page, without one the sign-in does."""
    if request.method not in {"GET", "HEAD"}:
        return _ask_before_form()
    if htmx.boosted or not (htmx or "text/event-stream" in request.accept_mimetypes.values()):
        target = url_for("sign_in.form", next=current_address())
        # A boosted page keeps its <head>; the sign-in page needs its own CSRF token, so it is loaded whole.
        return Response("", 200, {"HX-Redirect": target}) if htmx.boosted else redirect(target)
    return Response("Signed out. Reload the page to sign in.\n", 401, {"HX-Refresh": "true"}, mimetype="text/plain")


def _ask_before_form() -> ResponseReturnValue:
    if htmx:
        return Response("You are no longer signed in. Sign in, then try again.\n", 401, mimetype="text/plain")
    typed = typed_fields()
    if typed is None:
        return redirect(url_for("sign_in.form"))
    form = SignInForm(formdata=None, typed=seal(typed))
    return _form_again(form, "You are no longer signed in", "What you typed is kept. Sign in to send it.", 401)


def init_app(app: Flask) -> None:
    """Register the pages, and the callbacks of Flask-Login."""
    app.register_blueprint(pages)
    login.user_loader(load_user)
    login.unauthorized_handler(_ask_to_sign_in)
