"""An upload and an image upload of the page are one declared type each, with named states: run in Node."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from slipway.client.upload_phases import PHASE_WORDS, STOPPED
from tests.app.web.scripts import module, run

TEMPLATES = Path(__file__).parents[3] / "app" / "templates"

# A state of each name, as the scripts write them.
UPLOAD_STATES: dict[str, dict[str, Any]] = {
    "waiting": {"ahead": 2},
    "held": {"retry": {"tries": 1, "maxTries": 10, "at": 0, "cause": None}},
    "uploading": {},
    "paused": {},
    "sent": {},
    "checking": {"filesRead": 3, "bytesRead": 500},
    "stopped": {"since": 0, "expiresAt": None, "problem": ""},
    "ready": {"build": 7, "unchanged": False},
    "live": {"build": 7, "rollout": None},
    "failed": {"reason": "It has no launcher.", "final": True},
}
UPLOAD_STEPS = {
    "waiting": {"waiting", "held", "uploading"},
    "held": {"waiting", "held", "uploading", "paused", "sent", "checking", "stopped", "ready", "live", "failed"},
    "uploading": {"held", "uploading", "paused", "sent", "checking", "stopped", "ready", "live", "failed"},
    "paused": {"held", "uploading", "paused", "sent", "checking", "stopped", "ready", "live", "failed"},
    "sent": {"held", "uploading", "sent", "checking", "stopped", "ready", "live", "failed"},
    "checking": {"checking", "stopped", "ready", "live", "failed"},
    "stopped": {"stopped", "waiting"},
    "ready": set(),
    "live": {"live", "ready"},
    "failed": {"waiting"},
}
IMAGE_STATES: dict[str, dict[str, Any]] = {
    "waiting": {"ahead": 2},
    "held": {"retry": {"reason": "storage is unreachable", "at": 0}},
    "uploading": {},
    "checking": {},
    "stored": {"key": "staging/a", "since": 0},
    "failed": {"title": "Not an image", "reason": "Export it as one.", "final": True},
}
IMAGE_STEPS = {
    "waiting": {"waiting", "held", "uploading"},
    "held": {"waiting", "held", "uploading"},
    "uploading": {"held", "checking", "failed"},
    "checking": {"held", "stored", "failed"},
    "stored": set(),
    "failed": {"waiting"},
}

NEW_UPLOAD = """
const fresh = (state) => new Upload(
    { file: null, name: "lanterns.tar.gz", size: 1000, release: true, game: null }, state);
"""
NEW_IMAGE = """
const fresh = (state) => new ImageUpload({ name: "card.png", size: 1000 }, {}, state);
"""


@pytest.mark.parametrize(
    ("imported", "made", "states", "steps"),
    [
        (f"import {{ Upload }} from {module('uploads/upload.js')};", NEW_UPLOAD, UPLOAD_STATES, UPLOAD_STEPS),
        (f"import {{ ImageUpload }} from {module('images/image-upload.js')};", NEW_IMAGE, IMAGE_STATES, IMAGE_STEPS),
    ],
    ids=["a build", "an image"],
)
def test_a_state_is_followed_only_by_those_that_make_sense(
    imported: str, made: str, states: dict[str, dict[str, Any]], steps: dict[str, set[str]]
) -> None:
    found = run(
        imported
        + made
        + """
        const taken = {};
        for (const [before, one] of Object.entries(given)) {
            taken[before] = [];
            for (const [after, other] of Object.entries(given)) {
                const upload = fresh({ name: before, ...one });
                try {
                    upload.become({ name: after, ...other });
                } catch (error) {
                    if (upload.state.name !== before) throw new Error("it changed all the same");
                    continue;
                }
                // Nothing of the state before is left.
                const { name, ...rest } = upload.state;
                if (JSON.stringify(rest) !== JSON.stringify(other)) throw new Error(JSON.stringify(upload.state));
                taken[before].push(name);
            }
        }
        console.log(JSON.stringify(taken));
        """,
        states,
    )
    assert isinstance(found, dict)
    assert {before: set(after) for before, after in found.items()} == steps


def test_what_an_upload_is_asked_for() -> None:
    """`ended`: only its person can move it on. `decided`: cancelling it has nothing to tell the server."""
    found = run(
        f"import {{ Upload }} from {module('uploads/upload.js')};"
        + NEW_UPLOAD
        + """
        const answers = Object.entries(given).map(([name, facts]) => {
            const upload = fresh({ name, ...facts });
            return [name, { ended: upload.ended, decided: upload.decided, percent: upload.progress.percent }];
        });
        console.log(JSON.stringify(Object.fromEntries(answers)));
        """,
        UPLOAD_STATES | {"failed": {"reason": "The server answered 403.", "final": False}},
    )
    assert isinstance(found, dict)
    assert {name for name, facts in found.items() if facts["ended"]} == {"stopped", "ready", "live", "failed"}
    assert {name for name, facts in found.items() if facts["decided"]} == {"ready", "live"}
    assert {name for name, facts in found.items() if facts["percent"] == 100} == {"checking"}


def test_progress_never_goes_back_and_is_never_whole_before_the_end() -> None:
    found = run(
        f"""
        import {{ Progress }} from {module("progress.js")};
        const progress = new Progress();
        const shown = given.map((sent) => {{
            progress.advance(sent, 1000);
            return [progress.sent, progress.percent];
        }});
        progress.finish(1000);
        console.log(JSON.stringify([...shown, [progress.sent, progress.percent]]));
        """,
        [0, 470, 120, 999, 1000, 1200],
    )
    assert found == [[0, 0], [470, 47], [470, 47], [999, 99], [1000, 99], [1000, 99], [1000, 100]]


def test_the_speed_is_that_of_the_last_seconds() -> None:
    found = run(
        f"""
        import {{ Progress }} from {module("progress.js")};
        const progress = new Progress();
        console.log(JSON.stringify(given.map(([moved, now]) => {{
            progress.measure(moved, now);
            return progress.rate;
        }})));
        """,
        # A second of 1 MB, ten of nothing, then 2 MB in a second: bytes moved, and milliseconds.
        [[0, 0], [1_000_000, 1_000], [1_000_000, 11_000], [3_000_000, 12_000]],
    )
    assert found == [0, 1_000_000, 1_000_000, 2_000_000]


def test_a_phase_has_one_word_in_the_pages_and_in_the_command() -> None:
    found = run(f"import {{ PHASES }} from {module('phases.js')}; console.log(JSON.stringify(PHASES));", None)
    assert isinstance(found, dict)
    # The API calls an upload done that is ready in the words of the pages.
    assert {phase: found[{"done": "ready"}.get(phase, phase)] for phase in PHASE_WORDS} == PHASE_WORDS
    assert found["stopped"] == STOPPED
    steps = re.findall(r'<li data-step="(\w+)">(\w+)</li>', (TEMPLATES / "parts" / "uploads.html").read_text())
    assert len(steps) == 4
    assert {step: found[step] for step, _ in steps} == dict(steps)
    assert found["uploaded"] == "Uploaded"
