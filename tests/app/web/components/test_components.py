"""The board of components, one of them, and revisions; without a script."""

from __future__ import annotations

import html
import re

import pytest

from app.components.component_views import list_components
from app.components.revisions import draft_of, list_revisions
from app.components.sides import put_on_side
from app.web.components import board_view
from tests.app.fleet.counting import statements
from tests.app.web import asset_scenes, scenes
from tests.app.web.asset_scenes import add_component, game_of
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import afresh, errors, one_line, plain, rows
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE

GAME = "/games/paper-lanterns"
PAGE = f"{GAME}/components"
ROUTES = [PAGE, f"{PAGE}/parts", f"{PAGE}/live", f"{GAME}/revisions", f"{GAME}/revisions/draft/changes"]
NEW = {"kind": "tile", "name": "Ember", "external_key": "ember", "parent": "", "width_mm": "63.5", "height_mm": "88.9"}


@pytest.fixture
def game_id(cast: Cast) -> str:
    return scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")


@pytest.fixture
def deck(game_id: str) -> dict[str, str]:
    """A deck of two cards, one without its back, and a die; name → id."""
    back = asset_scenes.add_image(game_id, "back.png", asset_scenes.back())
    size = {"width_mm": 63.5, "height_mm": 88.9, "parent_external_key": "main-deck"}
    return {
        "back.png": back,
        "Main deck": add_component(game_id, "deck", "Main deck", "main-deck"),
        "Keeper": add_component(game_id, "card", "Keeper", "k", faces={"front": back, "back": back}, **size),
        "Ember": add_component(game_id, "card", "Ember", "e", faces={"front": back}, **size),
        "Weather die": add_component(game_id, "die", "Weather die", "die", width_mm=16.0, height_mm=16.0),
    }


def names(page: str) -> list[str]:
    """Section heads and cards, in their order."""
    found = re.findall(r'<h2 id="in-[^>]*>(.*?)</h2>|class="name"[^>]*>([^<]+)<', page, re.DOTALL)
    return [plain(head).strip() or card for head, card in found]


def test_who_sees_what(
    owner: Visitor, viewer: Visitor, stranger: Visitor, visitor: Visitor, deck: dict[str, str]
) -> None:
    ember = f"{PAGE}/{deck['Ember']}"
    final = f"{GAME}/revisions/1/finalization"
    for path in [*ROUTES, ember]:
        assert visitor.get(path).status_code == 302, path
        assert stranger.get(path).status_code == 404, path
        answer = viewer.get(path, buffered=False)
        assert answer.status_code == 200, path
        answer.close()
    for path in (f"{PAGE}/new", f"{ember}/details", final):
        assert viewer.get(path).status_code == 403, path
        assert stranger.get(path).status_code == 404, path
        assert owner.get(path).status_code == 200, path
        assert "<html" not in owner.get(path, headers=HTMX).text
    for path in (PAGE, f"{ember}/details", f"{ember}/deletion", f"{ember}/sides/deletion", final):
        assert visitor.post(path).status_code == 302, path
        assert stranger.post(path).status_code == 404, path
        assert viewer.post(path).status_code == 403, path
    page = viewer.get(PAGE).text
    assert "Add a component" not in page
    assert "Finalize revision" not in page
    assert 'method="post" action="/games/' not in viewer.get(ember).text


def test_the_board_has_a_section_a_parent_and_says_what_is_unfinished(owner: Visitor, deck: dict[str, str]) -> None:
    page = owner.get(PAGE).text
    assert names(page) == ["Main deck", "Keeper", "Ember", "Not in a deck", "Weather die"]
    words = plain(page)
    assert "Main deck Deck · 2 cards · 63.5 × 88.9 mm main-deck" in words
    assert "Keeper k 2 faces · 63.5 × 88.9 mm" in words
    assert "Ember e 1 face · 63.5 × 88.9 mm Back is missing" in words
    assert "No back" in words
    assert "Die · 0 faces · 16 mm" in words
    assert "All 4 Decks 1 Dice 1" in words
    assert "Draft Revision 1 4 components, none finalized yet" in words
    assert owner.get(PAGE, headers=HTMX).status_code == 200


def test_filters_are_in_the_address(owner: Visitor, deck: dict[str, str]) -> None:
    def found(query: str) -> list[str]:
        return names(owner.get(f"{PAGE}?{query}").text)

    assert found("q=EMBER") == ["Main deck", "Ember"]
    assert found("kind=dice") == ["Not in a deck", "Weather die"]
    assert found("kind=decks") == ["Main deck", "Keeper", "Ember"]
    assert found("problem=missing") == ["Main deck", "Ember"]
    assert found("in=none") == ["Not in a deck", "Weather die"]
    assert "No components match “lamp”" in owner.get(f"{PAGE}?q=lamp").text
    assert owner.get(f"{PAGE}?revision=7").status_code == 404
    assert owner.get(f"{PAGE}?revision={2**70}").status_code == 400
    poll = owner.get(f"{PAGE}/parts?q=ember", headers=HTMX)
    assert ("Ember" in poll.text, "Keeper" in poll.text) == (True, False)
    again = owner.get(f"{PAGE}/parts?q=ember", headers=HTMX | {"If-None-Match": poll.headers["ETag"]})
    assert again.status_code == 304


def test_a_long_deck_shows_its_first_row_and_the_way_to_the_rest(
    owner: Visitor, game_id: str, deck: dict[str, str]
) -> None:
    def queries() -> int:
        with statements() as sent:
            assert owner.get(PAGE).status_code == 200
        return sent.queries

    queries()
    add_component(game_id, "card", "Third", "c3", parent_external_key="main-deck", faces={"front": deck["back.png"]})
    few = queries()
    for number in range(4, 9):
        add_component(game_id, "card", f"Card {number}", f"c{number}", parent_external_key="main-deck")
    assert queries() == few <= 32
    page = owner.get(PAGE).text
    assert names(page)[:6] == ["Main deck", "Keeper", "Ember", "Third", "Card 4", "Card 5"]
    everything = re.search(r'href="([^"]+)">Show all 8<', page)
    assert everything
    assert len(names(owner.get(everything[1]).text)) == 9


def test_decks_and_cards_are_sorted_and_have_pages(
    owner: Visitor, game_id: str, deck: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_component(game_id, "deck", "Aces", "aces")
    add_component(game_id, "card", "Dawn", "dawn", parent_external_key="main-deck")

    def pages(query: str) -> list[list[str]]:
        """The names on each page."""
        found, path = [], f"{PAGE}?{query}"
        while path:
            page = html.unescape(owner.get(path).text)
            found.append(names(page))
            links = re.findall(r'href="([^"]+)">Next page<', page)
            path = links[0] if links else ""
        return found

    main, loose = ["Main deck", "Keeper", "Ember", "Dawn"], ["Not in a deck", "Weather die"]
    by_name = ["Main deck", "Dawn", "Ember", "Keeper"]
    assert pages("sort=name") == [["Aces", *by_name, *loose]]
    assert pages("sort=changed")[0][:4] == ["Aces", "Main deck", "Dawn", "Ember"]
    monkeypatch.setattr(board_view, "SECTIONS_PER_PAGE", 1)
    monkeypatch.setattr(board_view, "CARDS_PER_PAGE", 2)
    assert pages("") == [main, ["Aces"], loose]
    assert pages("q=e&sort=name") == [["Aces"], ["Main deck", "Ember", "Keeper"], loose]
    inside = f"sort=name&in={deck['Main deck']}"
    assert pages(inside) == [by_name[:3], ["Main deck", "Keeper"]]
    assert "Previous" in owner.get(f"{PAGE}?{inside}&page=2").text
    assert owner.get(f"{PAGE}?page=-1").status_code == 400


def test_filters_survive_an_action(owner: Visitor, deck: dict[str, str]) -> None:
    listed = f"{PAGE}?kind=decks&q=ember&sort=name"
    here = f"{PAGE}/{deck['Ember']}?kind=decks&q=ember&sort=name"
    assert f'href="{here}"' in html.unescape(owner.get(listed).text)
    component = html.unescape(owner.get(here).text)
    assert f'href="{listed}"' in component, "the way back"
    (picker,) = re.findall(r'href="([^"]+image-choice[^"]+side=back[^"]*)"', component)
    assert owner.post(picker, {"asset": deck["back.png"]}).location == f"{listed}#c-{deck['Ember']}"
    (clear,) = re.findall(r'action="([^"]+/sides/deletion[^"]*)"', component)
    assert owner.post(clear, {"side": "front"}).location == f"{listed}#c-{deck['Ember']}"
    (edit,) = re.findall(r'href="([^"]+/details[?][^"]*)"', component)
    (change,) = re.findall(r'action="([^"]+/details[?][^"]*)"', html.unescape(owner.get(edit).text))
    saved = owner.post(change, {"name": "Ember", "parent": "main-deck", "width_mm": "", "height_mm": ""})
    assert saved.location == f"{listed}#c-{deck['Ember']}"
    (delete,) = re.findall(rf'action="([^"]+{deck["Ember"]}/deletion[^"]*)"', component)
    assert owner.post(delete).location == listed


def test_a_component_is_added_and_changed(owner: Visitor, game_id: str, deck: dict[str, str]) -> None:
    answer = owner.post(PAGE, NEW | {"kind": "card", "parent": "main-deck"})
    assert answer.status_code == 303, answer.text
    assert "Ember is added" in owner.get(PAGE).text
    afresh()
    made = next(one for one in list_components(draft_of(game_id)).components if one.external_key == "ember")
    assert (made.kind, made.parent_external_key, made.width_mm) == ("card", "main-deck", 63.5)

    form = owner.get(f"{PAGE}/{made.id}/details").text
    assert 'value="Ember"' in form
    assert 'value="63.5"' in form
    owner.post(f"{PAGE}/{made.id}/details", {"name": "Ash", "parent": "main-deck", "width_mm": "", "height_mm": "88,9"})
    words = plain(owner.get(f"{PAGE}/{made.id}").text)
    assert "Kind Card External key ember Copy the external key Part of Deck main-deck Size 88.9 mm" in words
    assert "Ash is saved" in words
    owner.post(f"{PAGE}/{made.id}/deletion")
    assert owner.get(f"{PAGE}/{made.id}").status_code == 404


WRONG: list[tuple[dict[str, str], str]] = [
    ({"name": ""}, "Enter a name"),
    ({"external_key": "x" * 257}, "Use at most 256 characters"),
    ({"width_mm": "wide"}, "Enter a number of millimetres, such as 63.5. You entered wide"),
    ({"width_mm": "-3"}, "Enter millimetres, more than 0"),
    ({"kind": "card"}, "A card needs a parent (deck)"),
    ({"kind": "die", "parent": "main-deck"}, "A die has no parent; leave it out"),
    ({"kind": "die", "external_key": "die"}, "The die “Weather die” has the external key die. Choose another."),
]


def test_what_breaks_a_rule_is_said_beside_its_field(
    owner: Visitor, deck: dict[str, str], subtests: pytest.Subtests
) -> None:
    for changed, line in WRONG:
        with subtests.test(line):
            answer = owner.post(PAGE, NEW | changed)
            assert errors(answer) == ["The component is not saved yet: 1 thing to change", line]
            assert 'value="Ember"' in answer.text or "name" in changed, "what was typed stays"


def test_sides_are_a_fixed_choice_with_words_of_their_own(
    owner: Visitor, game_id: str, deck: dict[str, str], cast: Cast
) -> None:
    ember = f"{PAGE}/{deck['Ember']}"
    page = owner.get(ember).text
    assert '<input class="input' not in page.partition("</main>")[0], "nobody types the name of a side"
    assert "Front Change image of Front Clear Front Back No image Choose image of Back" in plain(page)
    put_on_side(game_of(game_id), deck["Ember"], "spine", deck["back.png"], CAST)  # as a call may name it
    assert "spine Change image of spine Clear spine" in plain(owner.get(ember).text)
    face = add_component(game_id, "dieFace", "Six", "six", parent_external_key="die")
    words = plain(owner.get(f"{PAGE}/{face}").text)
    assert "Face No image Choose image of Face" in words
    assert "Front" not in words

    assert owner.post(f"{ember}/sides/deletion", {"side": "front"}).status_code == 303
    assert "Ember: Front has no image" in owner.get(PAGE).text
    assert "Front No image Choose image of Front" in plain(owner.get(ember).text)
    for wrong in ("", "left"):
        assert owner.post(f"{ember}/sides/deletion", {"side": wrong}).status_code == 400, wrong


def test_finalizing_says_what_will_be_frozen_and_opens_the_next(
    owner: Visitor, game_id: str, deck: dict[str, str]
) -> None:
    question = plain(owner.get(f"{GAME}/revisions/1/finalization", headers=HTMX).text)
    assert "Components 4: 2 cards, 1 deck, 1 die" in question
    assert "Images 1 image, 5 KiB" in question
    assert "All: this is the first revision" in question
    assert "1 side without an image" in question
    answer = owner.post(f"{GAME}/revisions/1/finalization")
    assert answer.location == PAGE
    assert "Revision 1 is finalized. The draft is revision 2" in owner.get(PAGE).text
    afresh()
    assert [(one.number, one.state) for one in list_revisions(game_of(game_id))] == [(2, "draft"), (1, "finalized")]
    bar = one_line(owner.get(PAGE).text)
    assert 'disabled title="Nothing has changed yet">Finalize revision 2</button>' in bar
    nothing = owner.get(f"{GAME}/revisions/2/finalization")
    assert nothing.location == PAGE
    assert "Nothing has changed, so there is nothing to finalize" in owner.get(PAGE).text
    again = owner.post(f"{GAME}/revisions/1/finalization")
    assert "Revision 1 is finalized already" in owner.get(again.location).text

    add_component(game_id, "tile", "New one", "new")
    owner.post(f"{PAGE}/{deck['Ember']}/deletion")
    words = plain(owner.get(PAGE).text)
    assert "Revision 2 2 changes since revision 1: 1 added, 1 removed Show changes" in words
    assert "by Owner." in words
    assert "Added New one Tile new Removed Ember Card e" in plain(owner.get(f"{GAME}/revisions/draft/changes").text)
    assert "New one" in names(owner.get(PAGE).text)

    old = owner.get(f"{PAGE}?revision=1").text
    assert "Ember" in names(old)
    assert "New one" not in names(old)
    assert "Finalized Revision 1 Finalized" in plain(old)
    for write in ("Add a component", "Finalize revision"):
        assert write not in old
    piece = owner.get(f"{PAGE}/{deck['Ember']}?revision=1").text
    assert "Choose image" not in piece
    assert [line[:10] for line in rows(owner.get(f"{GAME}/revisions").text)] == ["Revision 2", "Revision 1"]


def test_an_image_of_a_finalized_revision_stays(owner: Visitor, deck: dict[str, str]) -> None:
    owner.post(f"{GAME}/revisions/1/finalization")
    image = f"{GAME}/assets/{deck['back.png']}"
    assert "Revision 1 is finalized and shows it, so it cannot be deleted" in plain(owner.get(image).text)
    refused = owner.post(f"{image}/deletion")
    assert "belongs to revision 1, which is finalized" in plain(owner.get(refused.location).text)


def test_a_game_without_components_says_what_they_are(owner: Visitor, game_id: str) -> None:
    words = plain(owner.get(PAGE).text)
    assert "No components yet" in words
    assert "Nothing has changed" in plain(owner.get(f"{GAME}/revisions/draft/changes").text)
