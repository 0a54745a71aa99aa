"""Each form marks the fields that can stay empty, and only these: sent empty, it refuses exactly the fields without the
mark."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask
from flask_wtf import FlaskForm
from wtforms import FileField, FloatField, IntegerField, StringField, TextAreaField
from wtforms.fields.core import UnboundField

from app.accounts.keys import create_app, create_key
from app.accounts.members import invite, members_of
from app.accounts.password_links import link_for_member
from app.data.extensions import db
from app.data.models.partner import Partner
from tests.app.web import asset_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.reading import number
from tests.app.web.scenes import Sent
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE

GAME = "/games/paper-lanterns"
TYPED = (StringField, TextAreaField, IntegerField, FloatField, FileField)
_NOT_TYPED = {"hidden", "checkbox", "radio", "submit", "search", "date", "file"}


@dataclass
class Control:
    """A field that people type into. `label`: all its words."""

    name: str
    required: bool
    wrong: bool
    label: str = ""


@dataclass
class Form:
    """A form of a page. `values`: what its hidden fields and selects send."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    controls: dict[str, Control] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        return {control.name for control in self.controls.values()}

    @property
    def required(self) -> set[str]:
        return {control.name for control in self.controls.values() if control.required}

    @property
    def wrong(self) -> set[str]:
        return {control.name for control in self.controls.values() if control.wrong}


class _Forms(HTMLParser):
    """The forms of a page with fields to type into."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._form: Form | None = None
        self._label: str | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        name = has.get("name") or ""
        if tag == "form":
            self._form = Form(has.get("action") or "", (has.get("method") or "get").lower())
            self.found.append(self._form)
        if self._form is None:
            return
        if tag == "label":
            self._label = has.get("for")
            self._form.controls.setdefault(self._label or "", Control("", False, False))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            if "selected" in has or self._select not in self._form.values:
                self._form.values[self._select] = has.get("value") or ""
        elif tag == "input" and has.get("type") == "hidden":
            self._form.values[name] = has.get("value") or ""
        elif tag == "textarea" or (tag == "input" and has.get("type") not in _NOT_TYPED):
            control = self._form.controls.setdefault(has.get("id") or "", Control("", False, False))
            control.name, control.required = name, "required" in has
            control.wrong = has.get("aria-invalid") == "true"

    def handle_data(self, data: str) -> None:
        if self._form is not None and self._label is not None:
            self._form.controls[self._label].label += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._form is not None:
            self._form.controls = {key: control for key, control in self._form.controls.items() if control.name}
            self._form = None
        elif tag == "label":
            self._label = None
        elif tag == "select":
            self._select = None


def forms_of(page: str) -> list[Form]:
    parser = _Forms()
    parser.feed(page)
    return [form for form in parser.found if form.controls and form.method == "post"]


@pytest.fixture
def pages(
    cast: Cast, owner: Visitor, visitor: Visitor, signed_in: Callable[[str], Visitor]
) -> list[tuple[Any, str, str]]:
    """(visitor, address, HTML) of every page that has a form."""
    game_id = scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns", [Sent()])
    component = asset_scenes.add_component(game_id, "tile", "Ember", "tile-001")
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    build_farm = create_app(partner, "Build farm", "", CAST)
    key = create_key(partner, "Build farm", ["read"], CAST)[0]
    member = next(one for one in members_of(partner) if one.role == "developer")
    invitation = invite(partner, "noor@starlight.example", "viewer", CAST)[1]
    password_link = link_for_member(partner, member.id, CAST)[1]
    operator, partner_page = signed_in(cast.operator), f"/operator/partners/{partner.id}"
    places = [
        *((visitor, path) for path in ("/sign-in", f"/invitations/{invitation}", f"/new-password/{password_link}")),
        *(
            (owner, path)
            for path in (
                "/games/new",
                f"{GAME}/details",
                f"{GAME}/builds",
                f"{GAME}/builds/1",
                f"{GAME}/components/new",
                f"{GAME}/components/{component}/details",
                "/settings/partner",
                "/settings/members",
                "/settings/keys/new",
                f"/settings/keys/{key.id}/roll",
                "/settings/apps/new",
                f"/settings/apps/{build_farm.id}",
                "/profile",
            )
        ),
        *(
            (operator, path)
            for path in (
                "/operator/add-server",
                "/operator/servers/srv-01",
                "/operator/servers/srv-01/token",
                "/operator/partners/new",
                partner_page,
            )
        ),
    ]
    found = [(one, path, one.get(path).text) for one, path in places]
    asked = {"email": "eve@starlight.example", "role": "owner", "number": number(owner.get("/settings/members").text)}
    found.append((owner, "/settings/members", owner.post("/settings/members", asked).text))
    return found


def test_an_empty_form_is_refused_for_the_fields_without_the_mark(
    pages: list[tuple[Visitor, str, str]], subtests: pytest.Subtests
) -> None:
    for one, path, page in pages:
        forms = forms_of(page)
        assert forms, path
        for form in forms:
            with subtests.test(path=path, fields=sorted(form.names)):
                for control in form.controls.values():
                    assert control.required == ("(optional)" not in control.label), control
                values = form.values | dict.fromkeys(form.names, "")
                if "app" in values:
                    values["app"] = ""  # a new app, whose name is then required
                answer = one.post(form.action or path, values)
                assert answer.status_code == (422 if form.required else 303), answer.text
                again = [other for other in forms_of(answer.text) if other.names == form.names]
                assert set().union(*(other.wrong for other in again)) == form.required


def test_no_form_is_left_out(app: Flask, pages: list[tuple[Visitor, str, str]]) -> None:
    """Every form of the app with fields to type into is on one of the pages above."""
    shown = [form.names for _, _, page in pages for form in forms_of(page)]
    known = {form for form in _subclasses(FlaskForm) if form.__module__.startswith("app.")}
    assert len(known) > 20
    missing = {form.__qualname__ for form in known if (names := _typed(form)) and names not in shown}
    # The file of an image is chosen, not typed; both of its forms say `required`.
    assert missing == {"ImageForm"}


def _subclasses(form: type) -> set[type]:
    found, direct = {form}, list[type](form.__subclasses__())
    for below in direct:
        found |= _subclasses(below)
    return found


def _typed(form: type) -> set[str]:
    fields = inspect.getmembers(form, lambda value: isinstance(value, UnboundField))
    return {
        name
        for name, unbound in fields
        if issubclass(unbound.field_class, TYPED) and "Hidden" not in unbound.field_class.__name__
    }
