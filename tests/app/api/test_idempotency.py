"""`Idempotency-Key` on POST: DECISIONS 16."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text, update
from werkzeug.test import TestResponse

from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AnsweredRequest
from app.data.models.game import Game
from app.maintenance.build_sweep import sweep
from tests.app.api.calling import GAMES, Script, body, refused
from tests.conftest import GAME, Cast

ONCE = {"Idempotency-Key": "order-66"}


def games() -> int:
    return db.session.scalar(select(func.count()).select_from(Game)) or 0


def test_a_repeated_request_gets_the_first_answer_and_does_nothing(script: Script) -> None:
    first = script.register(ONCE)
    again = script.register(ONCE)

    assert body(again, 201) == body(first, 201)
    assert again.data == first.data
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert games() == 1


def test_the_first_answer_stays_whatever_became_of_the_game(script: Script) -> None:
    first = script.register(ONCE)
    script.delete()

    assert body(script.register(ONCE), 201) == body(first, 201)
    refused(script.read(), 404, "not_found")


def test_without_the_header_nothing_is_repeated(script: Script) -> None:
    script.register()

    refused(script.register(), 409, "slug_taken")
    assert db.session.scalar(select(func.count()).select_from(AnsweredRequest)) == 0


def test_the_same_key_for_another_body_is_refused(script: Script) -> None:
    body(script.register(ONCE), 201)

    assert "Idempotency-Key" in refused(script.register(ONCE, slug="other"), 400, "invalid_request")
    # The same words in another order are another body: what is compared is what was sent.
    reordered = dict(reversed(GAME.items()))
    refused(script.ask("POST", GAMES, ONCE, json=reordered), 400, "invalid_request")
    assert games() == 1


def test_another_keys_same_word_is_another_request(
    client: FlaskClient, script: Script, stranger: Script, cast: Cast
) -> None:
    mine = body(script.register(ONCE), 201)
    theirs = body(stranger.register(ONCE), 201)

    assert mine["id"] != theirs["id"]
    assert games() == 2


def test_refusals_are_not_kept_so_the_next_try_may_succeed(script: Script) -> None:
    body(script.register(), 201)
    refused(script.register(ONCE), 409, "slug_taken")
    refused(script.register(ONCE), 409, "slug_taken")
    script.delete()

    body(script.register(ONCE), 201)


def test_a_broken_body_does_not_use_the_key_up(script: Script) -> None:
    refused(script.register(ONCE, title=""), 400, "invalid_request")

    body(script.register(ONCE), 201)


def test_a_fault_of_ours_is_not_kept(script: Script) -> None:
    with writing() as session:
        session.execute(text("ALTER TABLE audit_entries RENAME TO audit_entries_away"))
    try:
        refused(script.register(ONCE), 500, "internal_error")
    finally:
        with writing() as session:
            session.execute(text("ALTER TABLE audit_entries_away RENAME TO audit_entries"))

    body(script.register(ONCE), 201)


def test_while_the_first_is_at_work_the_second_is_told_to_ask_again(script: Script) -> None:
    first = body(script.register(ONCE), 201)
    with writing() as session:  # as it stands while the first is at work
        session.execute(update(AnsweredRequest).values(status=None, body=None))

    message = refused(script.register(ONCE), 409, "request_in_progress")

    assert "Idempotency-Key" in message
    with writing() as session:
        answered = session.scalars(select(AnsweredRequest)).one()
        answered.status, answered.body = 201, f'{{"id": "{first["id"]}"}}'
    assert body(script.register(ONCE), 201) == {"id": first["id"]}


def test_a_request_whose_process_died_can_be_tried_again_after_two_minutes(script: Script) -> None:
    body(script.register(ONCE), 201)
    script.delete()
    with writing() as session:
        answered = session.scalars(select(AnsweredRequest)).one()
        answered.status = answered.body = None
        answered.created_at -= timedelta(seconds=125)

    body(script.register(ONCE), 201)

    body(script.read())


def test_many_at_once_make_one_game(app: Flask, script: Script) -> None:
    barrier = threading.Barrier(6)
    answers: list[TestResponse] = []

    def register() -> None:
        own = Script(app.test_client(), script.key)
        barrier.wait()
        answers.append(own.register(ONCE))

    threads = [threading.Thread(target=register) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert games() == 1
    made = [answer.data for answer in answers if answer.status_code == 201]
    assert made
    assert len(set(made)) == 1
    for answer in answers:
        if answer.status_code != 201:
            refused(answer, 409, "request_in_progress")
    assert script.register(ONCE).data == made[0]


def test_answers_are_forgotten_after_24_hours(script: Script) -> None:
    body(script.register(ONCE), 201)
    script.delete()
    with writing() as session:
        session.scalars(select(AnsweredRequest)).one().created_at -= timedelta(hours=24, seconds=5)
    sweep()

    body(script.register(ONCE), 201)

    body(script.read())


def test_only_posts_are_remembered(script: Script) -> None:
    script.register()

    for title in ("First", "Second"):
        answer = script.ask("PATCH", f"{GAMES}/paper-lanterns", ONCE, json={"title": title})
        assert body(answer)["title"] == title
    assert script.ask("DELETE", f"{GAMES}/paper-lanterns", ONCE).status_code == 204
    refused(script.ask("DELETE", f"{GAMES}/paper-lanterns", ONCE), 404, "not_found")


def test_keys_have_1_to_255_printable_characters(script: Script, subtests: pytest.Subtests) -> None:
    for number, sent in enumerate(("a", "x" * 255, "8f14e45f-ceea-4c1a", "~ !")):
        with subtests.test(sent=sent[:20]):
            body(script.register({"Idempotency-Key": sent}, slug=f"g-{number}"), 201)
    for sent in ("", "x" * 256, "a\0b", "a\x7f", "é"):
        with subtests.test(sent=sent[:20]):
            message = refused(script.register({"Idempotency-Key": sent}, slug="never"), 400, "invalid_request")
            assert "255" in message
    refused(script.read("never"), 404, "not_found")
