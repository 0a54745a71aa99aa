"""One build: its facts, its note, its download and its deletion."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import TextAreaField
from wtforms.validators import Length

from app.catalog.build_list import find_build, set_note
from app.catalog.retention import delete_build
from app.data.database import free_connection
from app.data.models.game import Build, Game
from app.fleet.release_preview import ReleasePreview, preview
from app.packing.build_changes import default_other
from app.packing.pack_states import PackStatus, pack_states
from app.refusals import NotFound
from app.storage.bucket import bucket
from app.web.builds import build_words
from app.web.builds.build_rows import release_action
from app.web.builds.transfer_words import sent_words
from app.web.frame.current_user import my_actor, my_game, require_sign_in, require_write
from app.web.frame.formats import Copyable, Fact, Moment, format_size
from app.web.frame.forms import FORM_REFUSALS, readable_lines, show_refusal, summary_title
from app.web.frame.shown_commands import archive_name, unpack_lines
from app.web.games.game_header import header_context, join_words
from app.web.settings.confirm_question import render_question
from slipway.archive.invisible_characters import escape_invisible

pages = Blueprint("build", __name__)
pages.before_request(require_sign_in)

DOWNLOAD_LIFETIME = timedelta(minutes=15)
MAX_NOTE_LENGTH = 2000


class NoteForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    note = TextAreaField(
        "Note",
        [
            Length(max=MAX_NOTE_LENGTH, message=f"The note has at most {MAX_NOTE_LENGTH:,} characters. Shorten it."),
            readable_lines,
        ],
    )


@pages.get("/games/<slug>/builds/<int:number>")
def page(slug: str, number: int) -> ResponseReturnValue:
    """The build's facts."""
    game = my_game(slug)
    build = find_build(game, str(number))
    return _page(game, build, NoteForm(formdata=None, note=build.note or ""))


@pages.post("/games/<slug>/builds/<int:number>/note")
def change(slug: str, number: int) -> ResponseReturnValue:
    """Change the note. All else of a build is immutable."""
    game = my_game(slug)
    require_write("Changing notes")
    build, form = find_build(game, str(number)), NoteForm()
    if not form.validate():
        return _page(game, build, form), 422
    note = (form.note.data or "").replace("\r\n", "\n").strip()
    set_note(game, build, note or None, my_actor())
    flash(f"The note of build {number} is saved")
    return redirect(url_for("build.page", slug=slug, number=number), 303)


@pages.get("/games/<slug>/builds/<int:number>/download")
def download(slug: str, number: int) -> ResponseReturnValue:
    """Redirect to the archive in storage, at a presigned address."""
    build = find_build(my_game(slug), str(number))
    key = build.object_key
    free_connection()
    if bucket().stat(key) is None:
        raise NotFound(f"The archive of build {number} is not in storage. Tell the operator (flask check lists it).")
    answer = redirect(bucket().browser_url(key, DOWNLOAD_LIFETIME, archive_name(slug, number)), 302, Response)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@pages.get("/games/<slug>/builds/<int:number>/deletion")
def deletion(slug: str, number: int) -> ResponseReturnValue:
    """Ask before the build is deleted."""
    game = my_game(slug)
    require_write("Deleting builds")
    return _ask_deletion(game, find_build(game, str(number)), FlaskForm(formdata=None))


@pages.post("/games/<slug>/builds/<int:number>/deletion")
def delete(slug: str, number: int) -> ResponseReturnValue:
    """Delete the build unless it is live or in use."""
    game = my_game(slug)
    require_write("Deleting builds")
    build, form = find_build(game, str(number)), FlaskForm()
    try:
        delete_build(game, number, my_actor())
    except FORM_REFUSALS as refusal:
        answer = show_refusal(form, refusal)
        return _ask_deletion(game, build, form), *answer
    flash(f"Build {number} is deleted")
    return redirect(url_for("builds.page", slug=slug), 303)


def _ask_deletion(game: Game, build: Build, form: FlaskForm) -> str:
    return render_question(
        "builds/build_delete.html",
        back=url_for("build.page", slug=game.slug, number=build.number),
        area="games",
        number=build.number,
        bytes=format_size(build.size),
        form=form,
        problem=summary_title(form, f"Build {build.number} is not deleted"),
        **header_context(game),
    )


def _page(game: Game, build: Build, form: NoteForm) -> str:
    found = preview(game, build)
    live = found.live
    other, action = default_other(game, build), release_action(build.number, live)
    return render_template(
        "builds/build.html",
        number=build.number,
        compared_with=other.number if other else None,
        state=build_words.build_state(build, build.number == live),
        action=action,
        suggested=action == "Release" and build.first_released_at is None,
        facts=_facts(found, pack_states([build.id]).get(build.id)),
        start=unpack_lines(archive_name(game.slug, build.number), build.top_directory, build.launcher),
        warnings=build.warnings,
        form=form,
        problem=summary_title(form, "The note is not saved yet"),
        **header_context(game),
    )


def _facts(found: ReleasePreview, pack: PackStatus | None) -> list[Fact]:
    """(label, value) of all facts that apply."""
    build, servers = found.build, found.servers
    cached_on = [server.server_id for server in servers if server.state == "cached"]
    cached = f"{len(cached_on)} of {len(servers)}" + (f": {join_words(cached_on)}" if cached_on else "")
    facts: list[Fact] = [
        ("Received", (Moment(build.created_at, "moment"),)),
        ("Sent by", (build.sent_by,)),
        ("Cached on", (cached,)),
        ("Packed", (format_size(build.size),)),
        ("Sent to servers", (sent_words(build.sent_bytes, build.saved_bytes),)),
        ("Unpacked", (f"{format_size(build.unpacked_bytes)} in {build.members:,} files and folders",)),
        ("Launcher", Copyable(build.launcher, "launcher")),
        ("SHA-256", Copyable(build.sha256, "SHA-256")),
    ]
    if build.released_at:
        facts.insert(1, ("Last released", (Moment(build.released_at, "moment"),)))
    if build.file_name:
        facts.insert(0, ("File", (escape_invisible(build.file_name),)))
    if build.version_label:
        facts.insert(0, ("Version", (build_words.version_words(build.version_label),)))
    if pack:
        stored = format_size(pack.bytes) if pack.bytes is not None else build_words.pack_words(pack)
        facts.append(("Pack for updates", (stored,)))
    return facts
